//! What every system has to do alike.
