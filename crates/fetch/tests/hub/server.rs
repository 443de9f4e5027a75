//! A Hub and its CDN on two ports of this machine, as much of them as matters: redirects, etags,
//! ranges, and every way to fail.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

pub struct Request {
    /// `hub` or `cdn`.
    pub host: &'static str,
    pub method: String,
    pub target: String,
    headers: BTreeMap<String, String>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

#[derive(Default)]
struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// Bytes of the body that arrive before the connection is cut.
    cut: Option<usize>,
}

#[derive(Clone)]
pub struct File {
    pub bytes: Vec<u8>,
    /// Large files are on the CDN.
    pub large: bool,
    /// Name that the Hub gives it: a SHA-256 of large files.
    pub etag: String,
}

/// Way in which the end of a body is told.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum End {
    #[default]
    Length,
    /// By closing the connection.
    Closed,
    /// In chunks; one is cut if the body is.
    Chunked,
}

#[derive(Default)]
pub struct World {
    pub commit: String,
    pub files: BTreeMap<String, File>,
    /// Names to list besides the files.
    pub listed: Vec<String>,
    /// So many bytes more than a file has are listed.
    pub listed_more: usize,
    /// End of bodies: `Content-Length` unless set.
    pub end: End,
    /// Name that the CDN gives its content.
    pub cdn_etag: String,
    pub ranges: bool,
    /// Sends the asked range of another file too, which it must not.
    pub ignores_if_range: bool,
    /// Ranges start so many bytes after the asked one.
    pub skew: usize,
    /// For each of the next bodies, after how many bytes it is cut.
    pub cuts: VecDeque<usize>,
    /// Statuses that the Hub answers first, with more headers.
    pub statuses: VecDeque<(u16, Vec<(&'static str, String)>)>,
    /// Bodies that the CDN sends instead of the next ones, with their etags.
    pub instead: VecDeque<(Vec<u8>, String)>,
    pub log: Vec<Request>,
}

pub struct Hub {
    pub url: String,
    cdn: String,
    world: Arc<Mutex<World>>,
}

impl Hub {
    pub fn start(commit: &str) -> Self {
        let world = World {
            commit: commit.to_owned(),
            cdn_etag: "\"cdn-1\"".to_owned(),
            ranges: true,
            ..World::default()
        };
        let world = Arc::new(Mutex::new(world));
        let (hub, cdn) =
            (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
        let url = |listener: &TcpListener| format!("http://{}", listener.local_addr().unwrap());
        let own = Self { url: url(&hub), cdn: url(&cdn), world };
        for (name, listener) in [("hub", hub), ("cdn", cdn)] {
            let (world, cdn) = (own.world.clone(), own.cdn.clone());
            // Lives as long as the test process.
            thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    let (world, cdn) = (world.clone(), cdn.clone());
                    thread::spawn(move || serve(name, stream, &world, &cdn));
                }
            });
        }
        own
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// Puts a file there; `etag` is what the Hub calls it.
    pub fn put(&self, path: &str, bytes: &[u8], large: bool, etag: &str) {
        let file = File { bytes: bytes.to_vec(), large, etag: etag.to_owned() };
        self.world().files.insert(path.to_owned(), file);
    }

    /// Requests so far, as `host METHOD range`.
    pub fn requests(&self) -> Vec<String> {
        let line = |r: &Request| {
            format!("{} {} {}", r.host, r.method, r.header("range").unwrap_or_default())
        };
        self.world().log.iter().map(|request| line(request).trim().to_owned()).collect()
    }
}

fn serve(host: &'static str, mut stream: TcpStream, world: &Mutex<World>, cdn: &str) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let Some(first) = lines.next() else { return };
    let mut words = first.split(' ').map(str::to_owned);
    let (Some(method), Some(target)) = (words.next(), words.next()) else { return };
    let headers = lines
        .take_while(|line| !line.is_empty())
        .filter_map(|line| {
            line.split_once(':').map(|(k, v)| (k.to_ascii_lowercase(), v.trim().to_owned()))
        })
        .collect();
    let request = Request { host, method, target, headers };
    let mut world = world.lock().unwrap();
    let reply =
        if host == "hub" { hub(&request, &mut world, cdn) } else { content(&request, &mut world) };
    let head = request.method == "HEAD";
    let end = if reply.status < 300 { world.end } else { End::Length };
    world.log.push(request);
    drop(world);
    let mut text = format!("HTTP/1.1 {} X\r\nConnection: close\r\n", reply.status);
    for (name, value) in &reply.headers {
        text += &format!("{name}: {value}\r\n");
    }
    let whole = reply.body.len();
    let mut body = if head {
        Vec::new()
    } else {
        reply.body[..reply.cut.unwrap_or(whole).min(whole)].to_vec()
    };
    match end {
        End::Length if reply.headers.iter().any(|(name, _)| *name == "Content-Length") => {}
        End::Length => text += &format!("Content-Length: {whole}\r\n"),
        End::Closed => {}
        End::Chunked => {
            text += "Transfer-Encoding: chunked\r\n";
            if !head {
                body.splice(0..0, format!("{whole:x}\r\n").into_bytes());
                if reply.cut.is_none() {
                    body.extend(b"\r\n0\r\n\r\n");
                }
            }
        }
    }
    // A client that has gone is not an error here.
    let _ = stream.write_all((text + "\r\n").as_bytes()).and_then(|()| stream.write_all(&body));
}

fn hub(request: &Request, world: &mut World, cdn: &str) -> Reply {
    if let Some((status, headers)) = world.statuses.pop_front() {
        return Reply { status, headers, ..Reply::default() };
    }
    if let Some(rest) = request.target.strip_prefix("/owner/old/") {
        // Renamed. As the Hub does, relative.
        let headers = vec![("Location", format!("/owner/name/{rest}"))];
        return Reply { status: 307, headers, ..Reply::default() };
    }
    let commit = ("X-Repo-Commit", world.commit.clone());
    let Some(rest) = request.target.strip_prefix("/owner/name/resolve/") else {
        assert!(
            request.target.starts_with("/api/models/owner/name/revision/"),
            "{}",
            request.target
        );
        let files =
            world.files.iter().map(|(name, file)| (name, file.bytes.len() + world.listed_more));
        let names = files.chain(world.listed.iter().map(|name| (name, 1)));
        let siblings: Vec<_> = names
            .map(|(name, size)| serde_json::json!({ "rfilename": name, "size": size }))
            .collect();
        let body =
            serde_json::json!({ "sha": world.commit, "siblings": siblings, "private": false })
                .to_string();
        return Reply { status: 200, body: body.into_bytes(), ..Reply::default() };
    };
    let path = rest.split_once('/').map(|(_, path)| path.replace("%20", " ")).unwrap_or_default();
    let Some(file) = world.files.get(&path).cloned() else {
        return Reply {
            status: 404,
            headers: vec![("X-Error-Code", "EntryNotFound".to_owned())],
            ..Reply::default()
        };
    };
    if file.large {
        let linked = format!("\"{}\"", file.etag);
        let location = format!("{cdn}/blob/{path}?Signature=secret");
        let headers = vec![
            commit,
            ("X-Linked-Etag", linked),
            ("X-Linked-Size", file.bytes.len().to_string()),
            ("ETag", "\"of the redirect\"".to_owned()),
            ("Location", location),
        ];
        return Reply { status: 302, headers, ..Reply::default() };
    }
    let mut reply = ranged(request, world, file.bytes, format!("\"{}\"", file.etag));
    reply.headers.push(commit);
    reply
}

fn content(request: &Request, world: &mut World) -> Reply {
    let path = request.target.strip_prefix("/blob/").unwrap().split('?').next().unwrap();
    let (bytes, etag) = world
        .instead
        .pop_front()
        .unwrap_or_else(|| (world.files[path].bytes.clone(), world.cdn_etag.clone()));
    ranged(request, world, bytes, etag)
}

fn ranged(request: &Request, world: &mut World, bytes: Vec<u8>, etag: String) -> Reply {
    let cut = if request.method == "GET" { world.cuts.pop_front() } else { None };
    let start = request
        .header("range")
        .filter(|_| world.ranges)
        .filter(|_| {
            world.ignores_if_range || request.header("if-range").is_none_or(|own| own == etag)
        })
        .map(|range| {
            range.trim_start_matches("bytes=").trim_end_matches('-').parse::<usize>().unwrap()
        })
        .map(|start| start + world.skew);
    let etag = ("ETag", etag);
    match start {
        Some(start) if start >= bytes.len() => {
            Reply { status: 416, headers: vec![etag], ..Reply::default() }
        }
        Some(start) => {
            let range = format!("bytes {start}-{}/{}", bytes.len() - 1, bytes.len());
            Reply {
                status: 206,
                headers: vec![etag, ("Content-Range", range)],
                body: bytes[start..].to_vec(),
                cut,
            }
        }
        None => {
            let mut headers = vec![etag];
            if request.method == "HEAD" && world.end == End::Length {
                headers.push(("Content-Length", bytes.len().to_string()));
            }
            Reply { status: 200, headers, body: bytes, cut }
        }
    }
}
