//! Semantic analysis: what a policy document or a network rule really means.
