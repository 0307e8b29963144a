"""What a run found, computed from its saved logits with numpy and pandas: no torch, no data set, no GPU.

- `loading`: a run's folder -> `Results` (labels, teacher and prefix logits, the frontier's rows)
- `frontier`: one row per prefix, with intervals and the points lost against the teacher
- `costs`: the cost axes (MACs, parameters, weights, share of the teacher) and their ticks
- `confusion`: which classes are mixed up, and accuracy by class
- `scarce`: classes that a split has no example or few of
- `disagreements`: test examples on which a prefix and the teacher differ
- `shown`: all of a run as lines of text

What people see of it is made in `bdistil.report`.
"""

from bdistil.results.frontier import frontier as frontier
from bdistil.results.loading import Results as Results
from bdistil.results.loading import load as load

__all__ = ["Results", "frontier", "load"]
