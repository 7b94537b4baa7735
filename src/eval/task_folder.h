// Where the tasks' files are.
#pragma once

#include <string>

namespace fathom::eval {

// `wanted`, or when it is empty the first of these that is a folder: configs/tasks here; beside the
// program; where an installed program has its files (../share/fathom/configs/tasks from it); in the
// source tree of a program that was built there. Throws an input Error when there is none.
std::string task_folder(const std::string& wanted);

}  // namespace fathom::eval
