//! `flatrec set` on a flat file of another program: each record is changed at its place.

use flatrec::foreign::{ForeignEditor, ForeignFile};
use flatrec::printable;

use super::{Choice, Work};
use crate::change;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::report_text;

impl Work<'_> {
    /// Changes records of the file, after all changes were checked.
    pub(super) fn run_foreign(&self, file: &ForeignFile) -> Result<(), Failure> {
        let path = &self.args.store;
        let layout = file.layout();
        let mut editor =
            self.args.wait.patiently(None, |wait| ForeignEditor::open(path, layout, wait))?;
        let interrupt = Interrupt::watch();
        let (ids, mut lines) = self.checked_foreign(editor.file(), Some(&interrupt))?;
        let deciding = interrupt.decide()?;
        let mut unused = String::new();
        for (done, &id) in ids.iter().enumerate() {
            let changed = self.after(editor.file(), id, &mut unused);
            let set = changed.and_then(|after| Ok(editor.set(id, &after)?));
            set.map_err(|failure| self.cut(failure, done, ids.len()))?;
        }
        editor.close().map_err(|error| self.cut(error.into(), ids.len(), ids.len()))?;
        let done = match (&self.choice, &*ids) {
            (Choice::Listed(_), [id]) => format!("changed record {id} of {}", path.display()),
            _ => format!("changed {} of {}", change::records(ids.len()), path.display()),
        };
        deciding.done(&done);
        if !self.choice.is_listed() {
            lines.push_str(&self.count_line(ids.len()));
        }
        report_text(&done, lines.as_bytes())
    }

    /// Checks every change. Returns the numbers of the records, and the lines to show.
    pub(super) fn checked_foreign(
        &self,
        file: &ForeignFile,
        interrupt: Option<&Interrupt>,
    ) -> Result<(Vec<u64>, String), Failure> {
        let path = &self.args.store;
        let mut lines = self.checked(file.schema())?;
        let ids = self.choice.ids(path, file.schema(), file.copies(..), file.copies(..))?;
        for (index, &id) in ids.iter().enumerate() {
            interrupt.map_or(Ok(()), |interrupt| change::check(interrupt, index))?;
            let checked = self
                .after(file, id, &mut lines)
                .and_then(|after| Ok(file.check_set(id, &after).map(drop)?));
            checked.map_err(|failure| self.choice.on_line(index, failure))?;
        }
        Ok((ids, lines))
    }

    fn after(&self, file: &ForeignFile, id: u64, lines: &mut String) -> Result<Vec<u8>, Failure> {
        let before = file.copy(id)?;
        let before =
            before.ok_or_else(|| crate::get::no_record(&self.args.store, id, file.count()))?;
        self.changed(file.schema(), id, &before, lines)
    }

    /// The failure of a change after `done` of `all`.
    fn cut(&self, failure: Failure, done: usize, all: usize) -> Failure {
        let Failure::Library(error) = failure else { return failure };
        Failure::Message(format!(
            "{error}; {done} of {} of {} have their new values, perhaps not durably",
            change::records(all),
            printable(&self.args.store.display().to_string()),
        ))
    }
}
