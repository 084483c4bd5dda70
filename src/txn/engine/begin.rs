//! Taking the writer: for a transaction, or for a call of the engine's own.

use super::super::source::Source;
use super::super::token_lock::{HasLock, Holder, Patience, Refusal, Token, TokenLock};
use super::{Engine, Writer};
use crate::error::{Error, ErrorKind, Result};

const BEGIN: &str = "begin a transaction";

/// What leads to an engine, for as long as a transaction lasts.
pub(crate) trait EngineHandle: Clone + Sync {
    fn engine(&self) -> &Engine;

    /// What has the writer that is taken by this handle in this thread.
    fn holder() -> Holder;
}

impl EngineHandle for &Engine {
    #[inline]
    fn engine(&self) -> &Engine {
        self
    }

    fn holder() -> Holder {
        Holder::Engine
    }
}

impl<E: EngineHandle> HasLock<Writer> for E {
    #[inline]
    fn token_lock(&self) -> &TokenLock<Writer> {
        &self.engine().writer
    }

    #[inline]
    fn before_return(&self, writer: &mut Writer) {
        if std::mem::take(&mut writer.in_transaction) {
            self.engine().counters.count_aborted();
        }
    }
}

impl Engine {
    /// Takes the writer for a transaction; `None` if another one still has it when the patience is
    /// over.
    ///
    /// # Errors
    /// [`ErrorKind::TransactionInProgress`] if a transaction that cannot leave this thread has the
    /// writer, so that this thread would wait for itself; those of [`Engine::check`]; an error of
    /// mapping the newest records.
    pub(crate) fn begin<E: EngineHandle>(
        handle: E,
        patience: Patience,
    ) -> Result<Option<Token<E, Writer>>> {
        let mut token = match Token::take(handle, E::holder(), patience) {
            Ok(token) => token,
            Err((_, Refusal::Taken)) => return Ok(None),
            Err((handle, Refusal::TakenHere)) => return Err(handle.engine().nested(BEGIN)),
        };
        let (writer, handle) = token.parts_mut();
        handle.engine().show_newest(writer)?;
        writer.in_transaction = true;
        Ok(Some(token))
    }

    /// Shows the writer the newest records.
    fn show_newest(&self, writer: &mut Writer) -> Result<()> {
        self.check(writer, BEGIN)?;
        writer.show_newest(&self.layout).map_err(|error| self.name(error))
    }

    /// Waits for the writer.
    pub(super) fn lock(&self, operation: &'static str) -> Result<Token<&Self, Writer>> {
        let writer = Token::take(self, Holder::Engine, Patience::FOREVER)
            .map_err(|_| self.nested(operation))?;
        self.check(&writer, operation)?;
        Ok(writer)
    }

    /// As [`Engine::lock`], but does not wait for a transaction.
    pub(super) fn lock_to_close(&self) -> Result<Token<&Self, Writer>> {
        let writer = Token::take(self, Holder::Engine, Patience::ForEngine).map_err(|_| {
            self.in_progress("close", "an owned transaction of the database has not ended")
                .advice("commit or drop it: the store is closed when it ends")
        })?;
        self.check(&writer, "close")?;
        Ok(writer)
    }

    /// The writer, if it is free.
    pub(super) fn try_lock(&self) -> Option<Token<&Self, Writer>> {
        Token::take(self, Holder::Engine, Patience::None).ok()
    }

    /// The error of a call that would wait for a transaction of its own thread.
    #[cold]
    fn nested(&self, operation: &'static str) -> Error {
        let detail = "this thread has a transaction of the same database, for which it would wait";
        self.in_progress(operation, detail).advice("commit or drop that transaction first")
    }

    /// An error that names a transaction as the reason.
    pub(crate) fn in_progress(
        &self,
        operation: &'static str,
        detail: impl Into<std::borrow::Cow<'static, str>>,
    ) -> Error {
        self.name(Error::new(ErrorKind::TransactionInProgress, operation).detail(detail))
    }
}
