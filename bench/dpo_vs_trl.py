#!/usr/bin/env python3
"""Trains a tiny Llama on preference pairs in TRL and with `fathom dpo`, from the same weights, and
compares losses, rewards and gradient norms. Needs `pip install trl` and a built fathom; no GPU.

    python bench/dpo_vs_trl.py --fathom build/release/fathom

Every step takes all pairs, so that both see the same ones in every step. Fathom runs each variant
with its pairs packed; sigmoid also with one pair a row, and on four ranks. Ends with exit code 1
when a figure of the first step differs by more than 1e-4 of its size, or a loss of a later one by
more than 1e-3.
"""
import argparse
import json
import os
import subprocess
import tempfile

import torch
from datasets import Dataset
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, PrinterCallback
from trl import DPOConfig, DPOTrainer

LENGTH, RATE, PAIRS = 192, 3e-4, 16
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{% if message.role == 'user' %}"
    "{{ 'User: ' + message.content + '\\n\\n' }}{% else %}"
    "{{ 'Assistant: ' + message.content + eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
# TRL's settings, and Fathom's [dpo] table.
VARIANTS = {
    "sigmoid": (dict(loss_type=["sigmoid"], beta=0.1), 'loss = "sigmoid"\nbeta = 0.1'),
    "hinge": (dict(loss_type=["hinge"], beta=0.1), 'loss = "hinge"\nbeta = 0.1'),
    "ipo": (dict(loss_type=["ipo"], beta=0.1), 'loss = "ipo"\nbeta = 0.1\nlength_normalised = true'),
    "robust": (dict(loss_type=["robust"], beta=0.2, label_smoothing=0.1),
               'loss = "robust"\nbeta = 0.2\nlabel_smoothing = 0.1'),
    "normalised": (dict(loss_type=["sigmoid_norm"], beta=5.0),
                   'loss = "sigmoid"\nbeta = 5.0\nlength_normalised = true'),
    "nll": (dict(loss_type=["sigmoid", "sft"], loss_weights=[1.0, 0.5], beta=0.1),
            'loss = "sigmoid"\nbeta = 0.1\nnll = 0.5'),
}


def make_pairs():
    def user(text):
        return [{"role": "user", "content": text}]

    def assistant(text):
        return [{"role": "assistant", "content": text}]

    return [{"prompt": user(f"What is {i} plus {i}?"),
             "chosen": assistant(f"It is {2 * i}." + " Yes." * (i % 4)),
             "rejected": assistant(("我不知道。" if i % 3 == 0 else f"Perhaps {2 * i + 1}?") + "!" * (i % 5))}
            for i in range(PAIRS)]


def make_model(directory):
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: i for i, token in enumerate(["<s>", "</s>", "<pad>"] + alphabet)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<s>", "</s>", "<pad>"])
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>",
                                   pad_token="<pad>")
    fast.chat_template = TEMPLATE
    fast.save_pretrained(directory)
    torch.manual_seed(3)
    config = LlamaConfig(vocab_size=320, hidden_size=64, intermediate_size=160, num_hidden_layers=2,
                         num_attention_heads=4, num_key_value_heads=2,
                         max_position_embeddings=LENGTH, bos_token_id=0, eos_token_id=1,
                         pad_token_id=2, initializer_range=0.1)
    LlamaForCausalLM(config).save_pretrained(directory)
    return fast


def train_trl(directory, tokenizer, pairs, settings, steps, work):
    # Without accumulation: TRL's NLL term would depend on it.
    config = DPOConfig(
        output_dir=os.path.join(work, "trl"), max_steps=steps, per_device_train_batch_size=PAIRS,
        learning_rate=RATE, lr_scheduler_type="constant", warmup_steps=0, weight_decay=0.0,
        adam_beta1=0.9, adam_beta2=0.95, max_grad_norm=1.0, logging_steps=1, max_length=LENGTH,
        use_cpu=True, bf16=False, report_to=[], save_strategy="no", gradient_checkpointing=False,
        disable_tqdm=True, **settings)
    model = LlamaForCausalLM.from_pretrained(directory, dtype=torch.float32)
    reference = LlamaForCausalLM.from_pretrained(directory, dtype=torch.float32)
    trainer = DPOTrainer(model=model, ref_model=reference, args=config,
                         train_dataset=Dataset.from_list(pairs), processing_class=tokenizer)
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return [entry for entry in trainer.state.log_history if "loss" in entry]


def train_fathom(fathom, directory, work, name, table, steps, packing=True, extra="", ranks=1):
    output, config = os.path.join(work, name), os.path.join(work, name + ".toml")
    rows = PAIRS if not packing else packed_rows(fathom, directory, work)
    with open(config, "w") as file:
        file.write(f"""output = "{output}"
dtype = "f32"
threads = 2
[model]
from = "{directory}"
[data]
paths = ["{work}/pairs.jsonl"]
packing = {str(packing).lower()}
[dpo]
{table}
[train]
sequence_length = {LENGTH}
global_batch = {rows}
steps = {steps}
[optimizer]
weight_decay = 0.0
[schedule]
kind = "constant"
peak = {RATE}
warmup_steps = 0
max_warmup = 0.0
[validation]
sample_tokens = 0
[checkpoint]
enabled = false
[parallel]
{extra}
""")
    subprocess.run([fathom, "dpo", config, "--ranks", str(ranks)], check=True,
                   stderr=subprocess.DEVNULL)
    return [record for record in map(json.loads, open(f"{output}/metrics.jsonl")) if "loss" in record]


def packed_rows(fathom, directory, work):
    """Rows of an epoch by best fit decreasing: Fathom's own log says how many there are."""
    config = os.path.join(work, "rows.toml")
    with open(config, "w") as file:
        file.write(f"""output = "{work}/rows"
[model]
from = "{directory}"
[data]
paths = ["{work}/pairs.jsonl"]
[train]
sequence_length = {LENGTH}
global_batch = 1
steps = 1
[validation]
sample_tokens = 0
[checkpoint]
enabled = false
""")
    log = subprocess.run([fathom, "dpo", config], check=True, stderr=subprocess.PIPE, text=True).stderr
    return int(log.split(" pairs in ")[1].split(" rows")[0])


def difference(ours, theirs):
    return abs(ours - theirs) / max(1.0, abs(theirs))


def compare(name, ours, theirs):
    names = {"loss": "loss", "gradient_norm": "grad_norm", "logps/chosen": "logps/chosen",
             "logps/rejected": "logps/rejected"}
    first = max(difference(ours[0][a], theirs[0][b]) for a, b in names.items())
    # The figures of the second step show the first one's gradient.
    rewards = max(difference(ours[1][key], theirs[1][key]) for key in
                  ("rewards/chosen", "rewards/rejected", "rewards/margins", "rewards/accuracies"))
    later = max(difference(a["loss"], b["loss"]) for a, b in zip(ours, theirs))
    print(f"{name:12} first loss {ours[0]['loss']:.6f} (TRL {theirs[0]['loss']:.6f}), last "
          f"{ours[-1]['loss']:.6f} (TRL {theirs[-1]['loss']:.6f}); largest differences: first step "
          f"{first:.1e}, rewards of the second {rewards:.1e}, losses {later:.1e}", flush=True)
    return first < 1e-4 and rewards < 1e-4 and later < 1e-3


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fathom", default="build/release/fathom")
    parser.add_argument("--steps", type=int, default=20)
    arguments = parser.parse_args()
    pairs = make_pairs()
    good = True
    with tempfile.TemporaryDirectory() as work:
        with open(os.path.join(work, "pairs.jsonl"), "w") as file:
            file.writelines(json.dumps(pair, ensure_ascii=False) + "\n" for pair in pairs)
        directory = os.path.join(work, "model")
        tokenizer = make_model(directory)
        run = [arguments.fathom, directory, work]
        for name, (settings, table) in VARIANTS.items():
            theirs = train_trl(directory, tokenizer, pairs, settings, arguments.steps, work)
            good &= compare(name, train_fathom(*run, name, table, arguments.steps), theirs)
            if name != "sigmoid":
                continue
            alone = train_fathom(*run, "one-pair", table, arguments.steps, packing=False)
            good &= compare("one pair", alone, theirs)
            ranks = train_fathom(*run, "four-ranks", table, arguments.steps, packing=False,
                                 extra="tp = 2\npp = 2", ranks=4)
            good &= compare("four ranks", ranks, theirs)
    raise SystemExit(0 if good else 1)


if __name__ == "__main__":
    main()
