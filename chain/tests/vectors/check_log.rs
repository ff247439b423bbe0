//! The verifier in Python, run over the example log and over damaged copies of it.
