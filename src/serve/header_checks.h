// What a request's header alone decides. Internal to src/serve.
#pragma once

#include <optional>

#include "serve/request_reader.h"

namespace fathom::serve {

// The reply to a request that is refused before its body is read, for its host, origin, key, path
// or encoding, and the reply to a preflight of another origin's web page. Sets the form's origin.
std::optional<Reply> answer_by_header(const RequestReader& reader, const SessionHost& host,
                                      ResponseForm& form);

}  // namespace fathom::serve
