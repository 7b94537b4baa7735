"""Times prompts and generation by llama.cpp for bench/generation_vs_llama_cpp.py, by its C interface
as llama-cpp-python binds it. Lines in and out are those of bench/token_rates.cpp.
"""
import argparse
import ctypes
import json
import sys
import time

import llama_cpp


@llama_cpp.llama_log_callback
def quiet(level, text, data):
    pass


class Model:
    def __init__(self, options):
        llama_cpp.llama_backend_init()
        model_params = llama_cpp.llama_model_default_params()
        model_params.use_extra_bufts = not options.no_repack
        self.model = llama_cpp.llama_model_load_from_file(options.model.encode(), model_params)
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = 2048
        params.n_threads = params.n_threads_batch = options.threads
        if options.exact_cache:
            params.type_k = params.type_v = llama_cpp.GGML_TYPE_F32
            params.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
        self.context = llama_cpp.llama_init_from_model(self.model, params)
        self.sampler = llama_cpp.llama_sampler_init_greedy()

    def encode(self, text):
        vocab = llama_cpp.llama_model_get_vocab(self.model)
        tokens = (llama_cpp.llama_token * 2048)()
        data = text.encode()
        count = llama_cpp.llama_tokenize(vocab, data, len(data), tokens, 2048, False, False)
        return list(tokens[:count])

    def next_token(self, tokens):
        batch = (llama_cpp.llama_token * len(tokens))(*tokens)
        status = llama_cpp.llama_decode(self.context,
                                        llama_cpp.llama_batch_get_one(batch, len(tokens)))
        if status != 0:
            sys.exit(f"llama_decode: {status}")
        return llama_cpp.llama_sampler_sample(self.sampler, self.context, -1)

    def answer(self, prompt, new):
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self.context), True)
        begin = time.perf_counter()
        tokens = [self.next_token(prompt)]
        first = time.perf_counter()
        while len(tokens) < new:
            tokens.append(self.next_token(tokens[-1:]))
        return {"reading": first - begin, "generating": time.perf_counter() - first,
                "tokens": tokens}


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="GGUF file")
    parser.add_argument("threads", type=int)
    parser.add_argument("--first-token", metavar="PROMPT",
                        help="load the model, read this prompt, print the seconds that it took and end; "
                        "the start of Python and of the libraries is left out")
    parser.add_argument("--processor", action="store_true",
                        help="with --first-token: processor time in place of time")
    parser.add_argument("--exact-cache", action="store_true",
                        help="keys and values in f32, not in f16")
    parser.add_argument("--no-repack", action="store_true",
                        help="leave weights as they lie, without the kernels that want another order")
    return parser.parse_args()


def main():
    options = parse()
    llama_cpp.llama_log_set(quiet, ctypes.c_void_p(0))
    clock = time.process_time if options.processor else time.perf_counter
    begin = clock()
    model = Model(options)
    if options.first_token:
        model.next_token(model.encode(options.first_token))
        print(clock() - begin)
        return
    for line in sys.stdin:
        job = json.loads(line)
        print(json.dumps(model.answer(job["prompt"], job["new"])), flush=True)


if __name__ == "__main__":
    main()
