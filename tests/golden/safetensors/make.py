"""Makes mixed.safetensors, the oracle of tests/io: what PyPI's safetensors writes.

    pip install safetensors numpy && python tests/golden/safetensors/make.py
"""

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

# Declared in no particular order; the library sorts by width, then by name.
tensors = {
    "b.small": np.arange(3, dtype=np.uint8),
    "a.matrix": (np.arange(12, dtype=np.float32) / 4).reshape(3, 4),
    "c.count": np.array(-7, dtype=np.int64),
    "d.half": np.array([[1.5, -2.0]], dtype=np.float16),
    "e.empty": np.zeros((0, 5), dtype=np.int32),
    'f."quoted" \u4e2d': np.array([1, 2], dtype=np.int32),
}
save_file(tensors, Path(__file__).parent / "mixed.safetensors", metadata={"format": "pt"})
