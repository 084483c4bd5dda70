//! The end of a database that its caller did not close.

use std::sync::Arc;

use crate::txn::Engine;

/// Closes the store when the last handle that can write to it goes: the database, or an owned
/// transaction that outlives it.
pub(super) struct CloseAtEnd(Arc<Engine>);

impl CloseAtEnd {
    pub(super) fn new(engine: Arc<Engine>) -> Self {
        Self(engine)
    }

    #[inline]
    pub(super) fn engine(&self) -> &Engine {
        &self.0
    }
}

impl Drop for CloseAtEnd {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // A caller that wants to see errors calls `Database::close`; after that, this is an
            // error. A leaked transaction keeps the writer for ever; then this is an error, too.
            let _ = self.0.close();
        }
    }
}
