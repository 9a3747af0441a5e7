use std::{
    ffi::OsString,
    fmt,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use db_broker::durable::rename_file;
use testkit::ServerType;

use super::kind::Kind;

/// Behind the name of stock's program while ours has it.
const ASIDE: &str = ".stock";
/// Behind the name of ours until it is whole.
const UNFINISHED: &str = ".new";

/// The place of one program, and that of stock's while ours is there.
#[derive(Debug)]
pub(super) struct Place {
    program: PathBuf,
    aside: PathBuf,
    server_type: ServerType,
}

/// What there is to do at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Ours where nothing is, or an earlier one of ours.
    Put,
    /// Stock's aside, ours in its place.
    KeepAsideAndPut,
    /// Stock's back to its place.
    PutBack,
    /// Ours away from where stock has nothing.
    Remove,
    /// Stock's is back already, say by an upgrade of its package: what we kept has no use any more.
    RemoveAside,
    /// Stock's is there, or nothing.
    Leave,
}

impl Place {
    pub(super) fn new(bin: &Path, server_type: ServerType) -> Self {
        let program = bin.join(format!("swift-{server_type}-replicator"));
        Self { aside: beside(&program, ASIDE), program, server_type }
    }

    /// What brings ours to this place; an error if something unknown is in the way. Changes nothing.
    pub(super) fn to_install(&self) -> Result<Step> {
        Ok(match self.kinds()? {
            (Kind::Stock, _) => Step::KeepAsideAndPut,
            _ => Step::Put,
        })
    }

    /// What brings back what was here before ours; an error if something unknown is in the way. Changes nothing.
    pub(super) fn to_restore(&self) -> Result<Step> {
        Ok(match self.kinds()? {
            (Kind::Stock, Kind::Stock) => Step::RemoveAside,
            (_, Kind::Stock) => Step::PutBack,
            (Kind::Ours, _) => Step::Remove,
            _ => Step::Leave,
        })
    }

    /// What is at the place and what is aside, none of it unknown, nor put there by our package's `martlet-switch`.
    fn kinds(&self) -> Result<(Kind, Kind)> {
        ensure!(
            !self.is_switched(),
            "{} is the link of martlet-switch, and dpkg knows of it: `martlet-switch off {}` first, then say this again",
            self.program.display(),
            self.server_type
        );
        let here = Kind::of(&self.program, self.server_type)?;
        let aside = Kind::of(&self.aside, self.server_type)?;
        let (program, kept) = (self.program.display(), self.aside.display());
        ensure!(
            here != Kind::Foreign,
            "{program} is neither stock's program nor ours: move it away, and say this again"
        );
        ensure!(
            matches!(aside, Kind::Absent | Kind::Stock),
            "{kept} is not stock's program, which is kept under this name: move it away, and say this again"
        );
        Ok((here, aside))
    }

    /// As `is_ours` in `xtask/dist/martlet-switch` looks.
    fn is_switched(&self) -> bool {
        let target = format!("{}-replicator", self.server_type);
        fs::read_link(&self.program).is_ok_and(|link| link.as_os_str() == target.as_str())
    }

    /// Takes a step; `ours` is the program that it puts. A crash leaves stock's program or ours at the place,
    /// whole, and the step can be taken again.
    pub(super) fn take(&self, step: Step, ours: &Path) -> Result<()> {
        let taken = match step {
            Step::Put => self.put(ours),
            Step::KeepAsideAndPut => self.keep_aside().and_then(|()| self.put(ours)),
            Step::PutBack => rename_file(&self.aside, &self.program).map_err(Into::into),
            Step::Remove => fs::remove_file(&self.program).map_err(Into::into),
            Step::RemoveAside => fs::remove_file(&self.aside).map_err(Into::into),
            Step::Leave => Ok(()),
        };
        taken.with_context(|| self.said(step).to_string())
    }

    /// Stock's gets a second name; one that was kept before is older than the one at the place.
    fn keep_aside(&self) -> Result<()> {
        if fs::symlink_metadata(&self.aside).is_ok() {
            fs::remove_file(&self.aside)?;
        }
        Ok(fs::hard_link(&self.program, &self.aside)?)
    }

    fn put(&self, ours: &Path) -> Result<()> {
        let unfinished = beside(&self.program, UNFINISHED);
        fs::copy(ours, &unfinished).with_context(|| ours.display().to_string())?;
        fs::set_permissions(&unfinished, Permissions::from_mode(0o755))?;
        Ok(rename_file(&unfinished, &self.program)?)
    }

    /// The step in words that stand behind "would" too.
    pub(super) fn said(&self, step: Step) -> impl fmt::Display {
        let (program, aside) = (self.program.display(), self.aside.display());
        match step {
            Step::Put => format!("install {program}"),
            Step::KeepAsideAndPut => format!("keep stock's {program} as {aside}, install ours in its place"),
            Step::PutBack => format!("put stock's {program} back"),
            Step::Remove => format!("remove {program}: there was none of stock's"),
            Step::RemoveAside => format!("leave {program}, which is stock's, and remove {aside}"),
            Step::Leave => format!("leave {program}, which is not ours"),
        }
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    name.into()
}
