"""A scripted OpenAI-compatible model server that behaves as many real ones do."""
