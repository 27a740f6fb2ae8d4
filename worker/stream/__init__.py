"""The Faust side: records in, pool of enricher processes, records out, acknowledgements. Only this folder imports faust."""
