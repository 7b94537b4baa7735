#!/usr/bin/env python3
"""Makes tests/golden/parquet: small Parquet files, and beside some of them their rows as JSON lines
by pyarrow's to_pylist(). Needs `pip install pyarrow` (25.0.1 made the files that are committed).

    python tests/golden/make_parquet_goldens.py
"""
import datetime, decimal, json, math, os

import pyarrow as pa
import pyarrow.parquet as pq

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "parquet")


def write(name, table, rows=None, **options):
    options = {"compression": "zstd", "write_statistics": False, "store_schema": False} | options
    pq.write_table(table, os.path.join(FOLDER, name + ".parquet"), **options)
    if rows is not None:
        with open(os.path.join(FOLDER, name + ".jsonl"), "w") as out:
            out.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def json_value(value):
    """A value of to_pylist() as Fathom writes it: not finite is null, times are texts."""
    if isinstance(value, dict):
        return {key: json_value(one) for key, one in value.items()}
    if isinstance(value, list):
        return [json_value(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, (datetime.date, datetime.time)):
        return str(value)
    return value


def types():
    columns = {
        "bool": pa.array([True, False, None]),
        "i8": pa.array([-128, 127, None], pa.int8()),
        "i16": pa.array([-32768, 32767, None], pa.int16()),
        "i32": pa.array([-(2**31), 2**31 - 1, None], pa.int32()),
        "i64": pa.array([-(2**63), 2**63 - 1, None], pa.int64()),
        "u8": pa.array([0, 255, None], pa.uint8()),
        "u16": pa.array([0, 65535, None], pa.uint16()),
        "u32": pa.array([0, 2**32 - 1, None], pa.uint32()),
        "u64": pa.array([0, 2**64 - 1, None], pa.uint64()),
        "f16": pa.array([0.5, -2.0, None], pa.float16()),
        "f32": pa.array([0.25, float("nan"), None], pa.float32()),
        "f64": pa.array([1.0, 1e-300, float("-inf")], pa.float64()),
        "decimal": pa.array([decimal.Decimal("-12.50"), decimal.Decimal("0.07"), None], pa.decimal128(9, 2)),
        "text": pa.array(["plain", "\"q\" \\ / \b\t\n\r\x01\x7f é 中 🎉", ""], pa.string()),
        "large": pa.array(["a", None, "b"], pa.large_string()),
        "view": pa.array(["short", "longer than twelve bytes", None], pa.string_view()),
        "words": pa.array(["yes", "no", "yes"]).dictionary_encode(),
        "nothing": pa.nulls(3),
        "list": pa.array([[1, None, 3], [], None], pa.list_(pa.int32())),
        "large_list": pa.array([["x"], None, ["y", "z"]], pa.large_list(pa.string())),
        "pair": pa.array([[1, 2], [3, None], [5, 6]], pa.list_(pa.int16(), 2)),  # Arrow reads no null of these
        "struct": pa.array([{"a": 1, "b": {"c": "x"}}, {"a": None, "b": None}, None]),
        "structs": pa.array([[{"k": "a", "v": [1.5]}, None], [{"k": None, "v": []}], []],
                            pa.list_(pa.struct([("k", pa.string()), ("v", pa.list_(pa.float64()))]))),
        "map": pa.array([[("a", 1), ("b", None)], [], None], pa.map_(pa.string(), pa.int64())),
        "date": pa.array([datetime.date(2024, 2, 29), None, datetime.date(1969, 12, 31)]),
        "time": pa.array([datetime.time(23, 59, 58), None, None], pa.time32("ms")),
        "stamp": pa.array([datetime.datetime(2024, 2, 29, 1, 2, 3), None, None], pa.timestamp("ms")),
    }
    table = pa.table(columns)
    rows = json_value(table.to_pylist(maps_as_pydicts="strict"))
    rows[0]["time"], rows[0]["stamp"] = "23:59:58.000", "2024-02-29 01:02:03.000"
    write("types", table, rows, store_schema=True)


def documents():
    """Three row groups, a null, and a column that is not read."""
    texts = ["first document\n", "", "第三篇", None, "the \"fifth\"", "last"]
    table = pa.table({"id": list(range(6)), "text": texts, "bytes": [b"\xff"] * 6})
    write("documents", table, row_group_size=2, compression="snappy", write_page_checksum=True)
    write("no_rows", table.slice(0, 0))
    write("plain", table.select(["id", "text"]).slice(0, 2), compression="none", use_dictionary=False,
          write_page_checksum=True)


def chats():
    message = pa.struct([("role", pa.string()), ("content", pa.string()), ("name", pa.string()),
                         ("tool_calls", pa.list_(pa.struct([("name", pa.string())])))])
    rows = [
        [("system", "Be brief."), ("user", "What is two and two?"), ("assistant", "Four.")],
        [("user", "你好，请介绍一下北京。"), ("assistant", "北京是中国的首都。")],
        [("user", "Alone")],
    ]
    messages = [[{"role": role, "content": content} for role, content in row] for row in rows]
    messages[0][1]["name"] = "Ann"
    table = pa.table({"messages": pa.array(messages, pa.list_(message)), "source": ["a", "b", None]})
    write("chats", table, table.to_pylist(), compression="gzip")


def preferences():
    write("preferences", pa.table({"prompt": ["p", "q"], "chosen": ["yes", "好"], "rejected": ["no", "坏"]}),
          compression="brotli")


def images():
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table({"text": ["a"], "image": pa.array([{"bytes": b"\x89PNG", "path": "a.png"}], image)})
    write("images", table, compression="lz4")
    counts = pa.array([[(1, "a")]], pa.map_(pa.int32(), pa.string()))
    write("numbered", pa.table({"text": ["a"], "counts": counts}))


if __name__ == "__main__":
    os.makedirs(FOLDER, exist_ok=True)
    for make in (types, documents, chats, preferences, images):
        make()
