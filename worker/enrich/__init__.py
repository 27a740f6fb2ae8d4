"""Enrichment: pure text work. No Kafka, no Faust, no Stanza, torch or onnxruntime is imported here."""
