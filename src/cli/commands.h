// The subcommands. Each has a file of its own, with a function that adds it to the
// parser. A command's callback does the work; it reports errors by throwing Error.
#pragma once

namespace CLI {
class App;
}

namespace fathom::cli {

void add_bench(CLI::App& app);
void add_bench_generate(CLI::App& bench);  // bench generate
void add_chat(CLI::App& app);
void add_completion(CLI::App& app);
void add_convert(CLI::App& app);
void add_data(CLI::App& app);
void add_data_check(CLI::App& data);    // data check
void add_data_clean(CLI::App& data);    // data clean
void add_data_dedup(CLI::App& data);    // data dedup
void add_data_mix(CLI::App& data);      // data mix
void add_data_quality(CLI::App& data);  // data quality train
void add_data_run(CLI::App& data);      // data run
void add_data_stats(CLI::App& data);    // data stats, data sample
void add_dpo(CLI::App& app);
void add_eval(CLI::App& app);
CLI::App* add_eval_compare(CLI::App& eval);  // eval compare
CLI::App* add_eval_overlap(CLI::App& eval);  // eval overlap
void add_generate(CLI::App& app);
void add_info(CLI::App& app);
void add_manual(CLI::App& app);
void add_plan(CLI::App& app);
void add_scaling(CLI::App& app);
void add_scaling_fit(CLI::App& scaling);      // scaling fit
void add_scaling_predict(CLI::App& scaling);  // scaling predict
void add_scaling_plan(CLI::App& scaling);  // scaling plan
void add_scaling_run(CLI::App& scaling);   // scaling run
void add_serve(CLI::App& app);
void add_sft(CLI::App& app);
void add_tokenizer(CLI::App& app);
void add_train(CLI::App& app);
void add_verify(CLI::App& app);

}  // namespace fathom::cli
