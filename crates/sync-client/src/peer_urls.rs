//! Where peers are, as URLs that need not be parsed for each message.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use reqwest::Url;

use crate::Target;

/// URLs of peers by the start of each; grows with the ring. Parsing a URL, the address of its host above all, takes as long as the
/// rest of an exchange within HTTP.
#[derive(Clone, Debug, Default)]
pub(crate) struct PeerUrls(Arc<Mutex<HashMap<String, Url>>>);

impl PeerUrls {
    /// The URL of a database on a peer; none if the address in the ring makes none.
    pub(crate) fn of(&self, target: &Target<'_>) -> Option<Url> {
        let authority = target.authority();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut url = if let Some(url) = known.get(&authority) {
            url.clone()
        } else {
            let url = Url::parse(&format!("http://{authority}/")).ok()?;
            known.insert(authority, url.clone());
            url
        };
        drop(known);
        url.set_path(&target.path());
        Some(url)
    }
}

#[cfg(test)]
mod tests {
    use ring::Device;

    use super::*;

    #[test]
    fn they_are_what_the_target_spells() {
        let (urls, digest) = (PeerUrls::default(), "0123456789abcdef0123456789abcdef".parse().unwrap());
        for (ip, name) in
            [("::1", "sd b"), ("10.0.0.1", "sdb1"), ("10.0.0.1", "a%2f?#"), ("node.example", "d/e")]
        {
            let device = Device::new(0, ip, 6201, name);
            for partition in [5, u64::MAX] {
                let target = Target { device: &device, partition, digest };
                assert_eq!(urls.of(&target).unwrap(), Url::parse(&target.url()).unwrap());
                assert_eq!(urls.of(&target).unwrap().as_str(), target.url());
            }
        }
        let device = Device::new(0, "no address", 6201, "sdb1");
        assert_eq!(urls.of(&Target { device: &device, partition: 5, digest }), None);
    }
}
