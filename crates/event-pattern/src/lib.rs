//! EventBridge's event pattern language.
