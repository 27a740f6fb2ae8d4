"""Language models: the only folder that imports stanza, torch and onnxruntime.

Nothing heavy is imported until :func:`worker.nlp.pipeline.load` is called, so that ``khabar --help`` stays fast.
"""
