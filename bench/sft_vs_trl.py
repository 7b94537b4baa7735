#!/usr/bin/env python3
"""Fine-tunes a tiny Llama on conversations in TRL and with `fathom sft`, from the same weights,
and compares the losses of 50 steps. Needs `pip install trl` and a built fathom; no GPU.

    python bench/sft_vs_trl.py --fathom build/release/fathom

Every step takes all conversations, so that both see the same ones in every step. Fathom runs
packed, one conversation a row, and on four ranks; TRL pads, and accumulates. Ends with exit code 1
when a loss differs by more than 1e-3.
"""
import argparse, json, os, subprocess, tempfile

import torch
from datasets import Dataset
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from trl import SFTConfig, SFTTrainer

STEPS, LENGTH, RATE = 50, 96, 1e-3
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{% if message.role == 'user' %}"
    "{{ 'User: ' + message.content + '\\n\\n' }}{% else %}{{ 'Assistant:' }}"
    "{% generation %}{{ ' ' + message.content + eos_token }}{% endgeneration %}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)


def conversations():
    names = ["one", "two", "three", "four", "five", "six", "seven", "eight"]
    rows = []
    for i, a in enumerate(names):
        for j, b in enumerate(names[: 1 + i // 2]):
            turns = [("user", f"What is {a} plus {b}?"), ("assistant", f"It is {i + j + 2}." + " Yes." * (i % 4))]
            if i % 3 == 0:
                turns += [("user", "再来一次"), ("assistant", f"等于 {i + j + 2}。")]
            rows.append({"messages": [{"role": r, "content": c} for r, c in turns]})
    return rows[:16]


def make_model(directory, rows):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    texts = [m["content"] for row in rows for m in row["messages"]]
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<s>", "</s>", "<pad>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>")
    fast.chat_template = TEMPLATE
    fast.save_pretrained(directory)
    torch.manual_seed(3)
    config = LlamaConfig(vocab_size=448, hidden_size=64, intermediate_size=160, num_hidden_layers=2,
                         num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=LENGTH,
                         bos_token_id=0, eos_token_id=1, pad_token_id=2, initializer_range=0.1)
    LlamaForCausalLM(config).save_pretrained(directory)
    return fast


def trl_losses(directory, tokenizer, rows, work):
    config = SFTConfig(
        output_dir=os.path.join(work, "trl"), max_steps=STEPS, per_device_train_batch_size=4,
        gradient_accumulation_steps=len(rows) // 4, learning_rate=RATE, lr_scheduler_type="constant",
        warmup_steps=0, weight_decay=0.0, adam_beta1=0.9, adam_beta2=0.95, max_grad_norm=1.0,
        logging_steps=1, assistant_only_loss=True, max_length=LENGTH, use_cpu=True, bf16=False,
        report_to=[], save_strategy="no", gradient_checkpointing=False)
    model = LlamaForCausalLM.from_pretrained(directory, dtype=torch.float32)
    trainer = SFTTrainer(model=model, args=config, train_dataset=Dataset.from_list(rows),
                         processing_class=tokenizer)
    trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def fathom_losses(fathom, directory, work, name, rows, packing, extra="", ranks=1):
    data, output = os.path.join(work, "rows.jsonl"), os.path.join(work, name)
    config = os.path.join(work, name + ".toml")
    with open(config, "w") as file:
        file.write(f"""output = "{output}"
dtype = "f32"
threads = 2
[model]
from = "{directory}"
[data]
packing = {str(packing).lower()}
[train]
sequence_length = {LENGTH}
global_batch = {rows}
[optimizer]
weight_decay = 0.0
[validation]
sample_tokens = 0
[parallel]
{extra}
[[stage]]
steps = {STEPS}
[stage.schedule]
kind = "constant"
peak = {RATE}
warmup_steps = 0
max_warmup = 0.0
[[stage.data]]
paths = ["{data}"]
""")
    subprocess.run([fathom, "sft", config, "--ranks", str(ranks)], check=True, stderr=subprocess.DEVNULL)
    records = [json.loads(line) for line in open(f"{output}/stage-1/metrics.jsonl")]
    return [record["loss"] for record in records if "loss" in record]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fathom", default="build/release/fathom")
    fathom = parser.parse_args().fathom
    rows = conversations()
    worst = 0.0
    with tempfile.TemporaryDirectory() as work:
        with open(os.path.join(work, "rows.jsonl"), "w") as file:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        directory = os.path.join(work, "model")
        tokenizer = make_model(directory, rows)
        expected = trl_losses(directory, tokenizer, rows, work)
        packed = packed_rows(tokenizer, rows)
        for name, count, packing, extra, ranks in (
                ("packed", packed, True, "", 1), ("unpacked", len(rows), False, "", 1),
                ("four-ranks", len(rows), False, "tp = 2\npp = 2", 4)):
            losses = fathom_losses(fathom, directory, work, name, count, packing, extra, ranks)
            assert len(losses) == len(expected) == STEPS, (len(losses), len(expected))
            difference = max(abs(a - b) for a, b in zip(losses, expected))
            worst = max(worst, difference)
            print(f"{name:12} first {losses[0]:.6f} (TRL {expected[0]:.6f}), last {losses[-1]:.6f} "
                  f"(TRL {expected[-1]:.6f}), largest difference {difference:.2e}")
    raise SystemExit(0 if worst < 1e-3 else 1)


def packed_rows(tokenizer, rows):
    """Rows of an epoch by best fit decreasing; a conversation's last token is no input."""
    lengths = sorted((len(tokenizer.apply_chat_template(r["messages"], return_dict=False)) - 1 for r in rows), reverse=True)
    room = []
    for length in lengths:
        fitting = [i for i, free in enumerate(room) if free >= length]
        if fitting:
            room[min(fitting, key=lambda i: room[i])] -= length
        else:
            room.append(LENGTH - length)
    return len(room)


if __name__ == "__main__":
    main()
