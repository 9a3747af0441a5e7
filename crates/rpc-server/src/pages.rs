use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use warp::{
    Filter, Reply,
    http::{HeaderValue, StatusCode, header},
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
    /// Who asks; none if that is not known.
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

/// Answers a request, with 404 where it knows no such page; called on a tokio thread for each, so it may not block.
pub type PageSource = Arc<dyn Fn(PageRequest) -> Page + Send + Sync>;

/// Serves pages, to GET and PUT with a short body, until `stop` is cancelled.
pub async fn serve_pages(listener: TcpListener, source: PageSource, stop: CancellationToken) {
    let pages = Arc::new(Pages(source));
    let place = warp::path::full().and(warp::addr::remote());
    let get = warp::get().and(place).map(|path, from| request(Wish::Get, &path, from));
    let body = warp::body::content_length_limit(LONGEST_BODY).and(warp::body::bytes());
    let put = warp::put().and(place).and(body).map(|path, from, body: Bytes| {
        let text = String::from_utf8_lossy(&body).into_owned();
        request(Wish::Put(text), &path, from)
    });
    let route = warp::any().map(move || Arc::clone(&pages)).and(get.or(put).unify());
    let route = route.map(|pages: Arc<Pages>, request| pages.answer(request));
    warp::serve(route).incoming(listener).graceful(stop.cancelled_owned()).run().await;
}

fn request(wish: Wish, path: &FullPath, from: Option<SocketAddr>) -> PageRequest {
    PageRequest { wish, path: path.as_str().to_owned(), from: from.map(|from| from.ip()) }
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
