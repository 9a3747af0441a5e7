//! What is written, in one transaction.

use failpoint::Step;
use rusqlite::{Transaction, TransactionBehavior};

use crate::{Broker, error::Result, fault::Work, shape::Shape};

impl Broker {
    /// Does the work in one transaction that keeps other writers out from its beginning, and commits it: all of it or nothing,
    /// after a crash too.
    ///
    /// The shape given to the work is that of the tables before the lock was granted, as in [`run`](Self::run).
    ///
    /// # Errors
    /// Those of the work, or as any write; nothing of it is stored then.
    pub(crate) fn write<T>(
        &mut self,
        step: Step,
        work: impl FnOnce(&Transaction<'_>, Shape) -> Work<T>,
    ) -> Result<T> {
        let about = self.location.file().to_owned();
        self.run(|connection, shape| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done = work(&transaction, shape)?;
            failpoint::around(step, &about, || transaction.commit())?;
            Ok(done)
        })
    }
}
