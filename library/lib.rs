//! What Quell knows of each cloud.
