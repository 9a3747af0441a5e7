use protocol::{ContainerRow, ObjectRow};

use crate::{
    fault::{Fault, Work},
    merge_containers, merge_objects,
};

/// A row as replicas have it: two that are equal are the same row, whatever their row ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamedRow {
    /// Of a container.
    Object(ObjectRow<'static>),
    /// Of an account.
    Container(ContainerRow<'static>),
}

impl NamedRow {
    /// The name of the object or container.
    pub fn name(&self) -> &str {
        match self {
            Self::Object(row) => &row.name,
            Self::Container(row) => &row.name,
        }
    }

    /// The policy that tells two rows of one name apart: an object's; 0 of a container, which is told by its name alone.
    pub fn policy(&self) -> i64 {
        match self {
            Self::Object(row) => row.storage_policy_index,
            Self::Container(_) => 0,
        }
    }

    /// Where it stands among all.
    pub(crate) fn place(&self) -> (&str, i64) {
        (self.name(), self.policy())
    }

    /// Whether it is a tombstone.
    pub fn is_deleted(&self) -> bool {
        match self {
            Self::Object(row) => row.deleted != 0,
            Self::Container(row) => row.deleted != 0,
        }
    }

    /// Whether both are of the same moments: if they differ all the same, replication sees no difference, or one of counts only.
    pub fn has_times_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Object(one), Self::Object(other)) => one.created_at == other.created_at,
            (Self::Container(one), Self::Container(other)) => {
                (&one.put_timestamp, &one.delete_timestamp) == (&other.put_timestamp, &other.delete_timestamp)
            }
            _ => false,
        }
    }

    /// What all of these become when replication has brought them together; none of none.
    ///
    /// # Errors
    /// A timestamp that nobody can read, with the row's name.
    pub fn merged<'r>(rows: impl IntoIterator<Item = &'r Self>) -> Result<Option<Self>, String> {
        let mut rows = rows.into_iter();
        let Some(first) = rows.next() else { return Ok(None) };
        let merged = rows.try_fold(first.clone(), Self::with);
        merged.map(Some).map_err(|fault| match fault {
            Fault::Value(what) => what,
            other => format!("{other:?}"),
        })
    }

    fn with(self, coming: &Self) -> Work<Self> {
        Ok(match (self, coming) {
            (stored, coming) if stored == *coming => stored,
            (Self::Object(stored), Self::Object(coming)) => {
                let replacement = merge_objects::replaced_by(&stored, coming)?;
                Self::Object(replacement.unwrap_or(stored))
            }
            (Self::Container(stored), Self::Container(coming)) => {
                Self::Container(merge_containers::replaced_by(&stored, coming)?)
            }
            (stored, _) => stored,
        })
    }

    pub(crate) fn of_object(mut row: ObjectRow<'static>) -> Self {
        row.rowid = None;
        Self::Object(row)
    }

    pub(crate) fn of_container(mut row: ContainerRow<'static>) -> Self {
        row.rowid = None;
        Self::Container(row)
    }
}
