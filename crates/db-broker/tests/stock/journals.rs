//! Journals that outlived their database: SQLite would play them back into the next file of that name.

use std::{fs, path::Path};

use martlet_db_broker::{Broker, Installed};
use protocol::ServerType;

use crate::{
    case::{Case, hash_path},
    receiving::{dropped, received},
};

/// Leaves a hot journal for a file: header, then page 1 as it is said to have been, nothing but zeros.
fn leave_journal(of: &Path, pages: u64) {
    let mut journal = vec![0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7, 0, 0, 0, 1, 0, 0, 0, 0];
    journal.extend(u32::try_from(pages).expect("a small file").to_be_bytes());
    journal.extend([0, 0, 2, 0, 0, 0, 0x10, 0]);
    journal.resize(512, 0);
    journal.extend([0, 0, 0, 1]);
    journal.resize(512 + 4 + 4096 + 4, 0);
    let mut name = of.as_os_str().to_owned();
    name.push("-journal");
    fs::write(name, journal).expect("written");
}

#[test]
fn one_beside_the_place_does_not_harm_what_is_put_there() {
    let case = Case::new(ServerType::Container, "current");
    fs::remove_file(case.ours.file()).unwrap();
    let path = dropped(&case, &case.ours);
    leave_journal(case.ours.file(), fs::metadata(&path).unwrap().len() / 4096);
    received(&case.ours).complete(&hash_path()).unwrap();
    let info = Broker::open(case.ours.clone()).and_then(|mut broker| broker.replication_info()).unwrap();
    assert_eq!(info.account, "a");
}

/// A merge that was killed leaves one in `DEVICE/tmp`, where the sender then puts its file again.
#[test]
fn one_in_tmp_does_not_harm_what_is_received_next() {
    for merge in [false, true] {
        let case = Case::new(ServerType::Container, "current");
        if !merge {
            fs::remove_file(case.ours.file()).unwrap();
        }
        let path = dropped(&case, &case.ours);
        leave_journal(&path, fs::metadata(&path).unwrap().len() / 4096);
        let received = received(&case.ours);
        let done =
            if merge { received.merge_into_place(&hash_path()) } else { received.complete(&hash_path()) };
        assert_eq!(done.unwrap(), Installed::Installed { ignored: None });
        let rows = Broker::open(case.ours.clone()).and_then(|mut broker| broker.rows_since(-1, 100)).unwrap();
        assert_eq!(rows.len(), 5, "four that all have, and one of the sender's");
    }
}
