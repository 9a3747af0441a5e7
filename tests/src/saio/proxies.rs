//! The files of the proxy and of all that works through a proxy's pipeline, and what they share.

use super::conf::{Folders, process};

/// Where the proxy listens.
pub(crate) const PROXY: &str = "127.0.0.1:8080";
/// Where memcached listens.
pub(crate) const MEMCACHED: (&str, u16) = ("127.0.0.1", 11211);

/// Two policies, so that containers of two policies can meet.
pub(crate) const SWIFT: &str = "\
[swift-hash]
swift_hash_path_prefix = changeme
swift_hash_path_suffix = changeme

[storage-policy:0]
name = gold
policy_type = replication
default = yes

[storage-policy:1]
name = silver
policy_type = replication
";

pub(crate) const REALMS: &str = "\
[saio]
key = changeme
key2 = changeme
cluster_saio_endpoint = http://127.0.0.1:8080/v1/
";

const FILTERS: &str = "\
[filter:catch_errors]
use = egg:swift#catch_errors

[filter:proxy-logging]
use = egg:swift#proxy_logging

[filter:cache]
use = egg:swift#memcache

[filter:symlink]
use = egg:swift#symlink

[filter:keymaster]
use = egg:swift#keymaster
encryption_root_secret = changeme/changeme/changeme/changeme/change/=

[filter:encryption]
use = egg:swift#encryption

[app:proxy-server]
use = egg:swift#proxy
allow_account_management = true
account_autocreate = true
";

const PROXY_ONLY_FILTERS: &str = "\
[filter:gatekeeper]
use = egg:swift#gatekeeper

[filter:healthcheck]
use = egg:swift#healthcheck

[filter:etag-quoter]
use = egg:swift#etag_quoter
enable_by_default = false

[filter:listing_formats]
use = egg:swift#listing_formats

[filter:bulk]
use = egg:swift#bulk

[filter:tempurl]
use = egg:swift#tempurl

[filter:ratelimit]
use = egg:swift#ratelimit

[filter:crossdomain]
use = egg:swift#crossdomain

[filter:container_sync]
use = egg:swift#container_sync
current = //saio/saio_endpoint

[filter:tempauth]
use = egg:swift#tempauth
user_admin_admin = admin .admin .reseller_admin
user_test_tester = testing .admin
user_test_tester2 = testing2 .admin
user_test_tester3 = testing3
user_test2_tester2 = testing2 .admin

[filter:staticweb]
use = egg:swift#staticweb

[filter:copy]
use = egg:swift#copy

[filter:container-quotas]
use = egg:swift#container_quotas

[filter:account-quotas]
use = egg:swift#account_quotas

[filter:slo]
use = egg:swift#slo

[filter:dlo]
use = egg:swift#dlo

[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_versioned_writes = true
allow_object_versioning = true
";

pub(crate) fn proxy_server(folders: Folders<'_>) -> String {
    format!(
        "[DEFAULT]\nbind_ip = 127.0.0.1\nbind_port = 8080\n{}\n\
         [pipeline:main]\n\
         pipeline = catch_errors gatekeeper healthcheck proxy-logging cache etag-quoter listing_formats bulk \
         tempurl ratelimit crossdomain container_sync tempauth staticweb copy container-quotas \
         account-quotas slo dlo versioned_writes symlink keymaster encryption proxy-logging proxy-server\n\n\
         {PROXY_ONLY_FILTERS}\n{FILTERS}",
        process(folders)
    )
}

pub(crate) fn internal_client(folders: Folders<'_>) -> String {
    format!(
        "[DEFAULT]\n{}\n[pipeline:main]\n\
         pipeline = catch_errors proxy-logging cache symlink keymaster encryption proxy-server\n\n{FILTERS}",
        process(folders)
    )
}

pub(crate) fn container_reconciler(folders: Folders<'_>) -> String {
    format!(
        "[DEFAULT]\n{}\n[container-reconciler]\n\n[pipeline:main]\n\
         pipeline = catch_errors proxy-logging cache proxy-server\n\n{FILTERS}",
        process(folders)
    )
}
