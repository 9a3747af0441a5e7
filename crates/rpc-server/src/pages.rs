use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use bytes::Bytes;
use tokio::{net::TcpListener, task::spawn_blocking};
use tokio_util::sync::CancellationToken;
use warp::{
    Filter, Reply,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    path::FullPath,
};

/// Longer bodies are refused: none of the pages takes more than a word.
const LONGEST_BODY: u64 = 1024;

/// What somebody wants of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// To read it.
    Get,
    /// To put this in its place.
    Put(String),
}

/// A question of an operator, a scraper or a browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// What is wanted.
    pub wish: Wish,
    /// Of which page, without what follows a question mark.
    pub path: String,
    /// Who asks by himself; none if that is not known, as a page in a browser or a proxy may have it sent: it says so, or it
    /// names a host, other than `localhost`, which may mean anything to a browser.
    pub from: Option<IpAddr>,
}

/// A page for operators and scrapers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The status of the answer.
    pub status: u16,
    /// Its MIME type.
    pub content_type: &'static str,
    /// Its text.
    pub text: String,
}

/// Answers a request, with 404 where it knows no such page; called for each on a thread that may block.
pub type PageSource = Arc<dyn Fn(PageRequest) -> Page + Send + Sync>;

/// Serves pages, to GET and PUT with a short body, until `stop` is cancelled.
pub async fn serve_pages(listener: TcpListener, source: PageSource, stop: CancellationToken) {
    let pages = Arc::new(Pages(source));
    let place = warp::path::full().and(warp::addr::remote()).and(warp::header::headers_cloned());
    let get = warp::get().and(place).map(|path, from, head| request(Wish::Get, &path, from, &head));
    let body = warp::body::content_length_limit(LONGEST_BODY).and(warp::body::bytes());
    let put = warp::put().and(place).and(body).map(|path, from, head, body: Bytes| {
        let text = String::from_utf8_lossy(&body).into_owned();
        request(Wish::Put(text), &path, from, &head)
    });
    let route = warp::any().map(move || Arc::clone(&pages)).and(get.or(put).unify());
    // A page of thousands of peers takes its time, which the threads of the network have not.
    let route = route.then(|pages: Arc<Pages>, request| async {
        let answered = spawn_blocking(move || pages.answer(request)).await;
        answered.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
    });
    warp::serve(route).incoming(listener).graceful(stop.cancelled_owned()).run().await;
}

fn request(wish: Wish, path: &FullPath, from: Option<SocketAddr>, head: &HeaderMap) -> PageRequest {
    let from = from.filter(|_| is_by_himself(head)).map(|from| from.ip());
    PageRequest { wish, path: path.as_str().to_owned(), from }
}

fn is_by_himself(head: &HeaderMap) -> bool {
    let for_another = ["origin", "forwarded", "x-forwarded-for"].iter().any(|name| head.contains_key(*name));
    let host = head.get(header::HOST).and_then(|host| host.to_str().ok());
    !for_another && host.is_some_and(is_address)
}

/// A `Host`, with a port or without.
fn is_address(host: &str) -> bool {
    let name =
        host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(host, |(name, _)| name);
    let is_plain = |name: &str| name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    name == "localhost" || is_plain(name) || is_plain(host)
}

/// The source under a name of its own: the compiler cannot prove futures over a bare `dyn Fn` to be `Send`.
struct Pages(PageSource);

impl Pages {
    fn answer(&self, request: PageRequest) -> warp::reply::Response {
        let Page { status, content_type, text } = (self.0)(request);
        let mut response = text.into_response();
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_an_address_or_none() {
        let addresses = ["127.0.0.1:9461", "[::1]:9461", "::1", "10.0.0.7", "localhost:9461", "localhost"];
        assert_eq!(addresses.map(is_address), [true; 6]);
        assert_eq!(["rebound.example:9461", "", "127.0.0.1.example"].map(is_address), [false; 3]);
    }
}
