"""Enrichment: pure text work. No Kafka, no Faust, no model framework is imported here."""
