//! What people read of a plan and of what came of it. Pure.
