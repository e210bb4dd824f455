use super::*;
use crate::cli::dev::tests::scratch;

/// A cluster in a scratch DIR. Dropping it removes everything, also when the test fails.
struct Trial {
    directory: Directory,
    cluster: Option<Cluster>,
}

impl Trial {
    fn new(name: &str) -> Self {
        let directory = Directory::take(&scratch(name)).unwrap();
        let mut trial = Self { directory, cluster: None };
        trial.begin();
        // A run that was killed may have left one at this place.
        trial.cluster().remove().unwrap();
        trial
    }

    /// As a new process would: nothing is known but DIR.
    fn begin(&mut self) {
        let environment = Environment::read();
        self.cluster = Some(Cluster::find(&self.directory, &environment).unwrap());
    }

    fn cluster(&mut self) -> &mut Cluster {
        self.cluster.as_mut().unwrap()
    }

    fn start(&mut self, instance: &str) -> Postmaster {
        self.cluster().start(instance).unwrap();
        self.postmaster()
    }

    fn postmaster(&mut self) -> Postmaster {
        match postmaster::find(&self.cluster().data()) {
            Found::Running(postmaster) => postmaster,
            other => panic!("no postmaster: {other:?}"),
        }
    }

    /// Runs one statement and gives its first column as text.
    fn ask(&mut self, role: &str, statement: &str) -> Option<String> {
        let url = self.cluster().url(role);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
            let driver = sigid_io::backend::spawn(connection);
            let rows = client.simple_query(statement).await.unwrap();
            drop(client);
            driver.await.unwrap().unwrap();
            rows.iter().find_map(|message| match message {
                tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
                _ => None,
            })
        })
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        if let Some(mut cluster) = self.cluster.take() {
            let _ = cluster.remove();
        }
    }
}

fn kill(pid: u32) {
    assert!(Command::new("sh").args(["-c", &format!("kill -KILL {pid}")]).status().unwrap().success());
}

#[test]
fn a_new_cluster_is_durable_private_and_has_two_roles() {
    let mut trial = Trial::new("new");
    trial.start("a");
    for setting in ["fsync", "full_page_writes", "synchronous_commit"] {
        assert_eq!(trial.ask(APP, &format!("show {setting}")).as_deref(), Some("on"), "{setting}");
    }
    assert_eq!(trial.ask(APP, "show listen_addresses").as_deref(), Some(""));
    let rights =
        "select rolsuper or rolbypassrls or rolcreatedb or rolcreaterole from pg_roles where rolname = current_user";
    assert_eq!(trial.ask(APP, rights).as_deref(), Some("f"));
    assert_eq!(trial.ask(OWNER, "select rolsuper from pg_roles where rolname = current_user").as_deref(), Some("t"));
    let sockets = fs::symlink_metadata(&trial.cluster().sockets).unwrap();
    assert_eq!(sockets.permissions().mode() & 0o777, 0o700);
    assert!(trial.cluster().sockets.join(SOCKET).as_os_str().len() <= SOCKET_PATH_BYTES_MAX);
}

#[test]
fn a_second_start_keeps_the_data() {
    let mut trial = Trial::new("second");
    trial.start("a");
    trial.ask(OWNER, "create table kept as select 7 as n");
    trial.cluster().stop().unwrap();
    assert_eq!(postmaster::find(&trial.cluster().data()), Found::Nothing);
    trial.cluster().stop().unwrap();
    trial.begin();
    trial.start("a");
    assert_eq!(trial.ask(OWNER, "select n from kept").as_deref(), Some("7"));
}

#[test]
fn after_the_server_was_killed_its_postmaster_is_adopted_and_can_be_stopped() {
    let mut trial = Trial::new("adopted");
    let first = trial.start("a");
    trial.begin();
    assert_eq!(trial.start("a").pid, first.pid);
    trial.cluster().stop().unwrap();
    assert_eq!(postmaster::find(&trial.cluster().data()), Found::Nothing);
}

#[test]
fn after_the_postmaster_was_killed_the_data_recovers() {
    let mut trial = Trial::new("recovers");
    let first = trial.start("a");
    trial.ask(OWNER, "create table kept as select 7 as n");
    kill(first.pid);
    // What waits for the child in the life of a server; here it must not stay a zombie with its old command line.
    trial.cluster().child.take().unwrap().wait().unwrap();
    trial.begin();
    assert_ne!(trial.start("a").pid, first.pid);
    assert_eq!(trial.ask(OWNER, "select n from kept").as_deref(), Some("7"));
}

#[test]
fn a_postmaster_with_its_socket_elsewhere_is_restarted_here() {
    let mut trial = Trial::new("elsewhere");
    let first = trial.start("a");
    trial.begin();
    let elsewhere = trial.cluster().sockets.with_extension("b");
    let before = std::mem::replace(&mut trial.cluster().sockets, elsewhere);
    assert_ne!(trial.start("a").pid, first.pid);
    assert_eq!(trial.ask(APP, "select 1").as_deref(), Some("1"));
    fs::remove_dir_all(before).unwrap();
}

#[test]
fn a_cluster_of_an_earlier_directory_is_stopped_and_replaced() {
    let mut trial = Trial::new("earlier");
    let first = trial.start("a");
    trial.ask(OWNER, "create table kept as select 7 as n");
    trial.begin();
    assert_ne!(trial.start("b").pid, first.pid);
    assert_eq!(trial.ask(OWNER, "select count(*) from pg_class where relname = 'kept'").as_deref(), Some("0"));
}

#[test]
fn a_half_made_cluster_is_made_again() {
    let mut trial = Trial::new("half");
    let place = trial.cluster().place.clone();
    fs::create_dir_all(place.join("data.new/base")).unwrap();
    fs::create_dir_all(place.join(DATA)).unwrap();
    trial.start("a");
    assert!(!place.join("data.new").exists());
}

#[test]
fn a_socket_directory_of_somebody_else_is_refused() {
    let mut trial = Trial::new("squatted");
    trial.cluster().sockets = scratch("squatted-sockets");
    let target = scratch("squatted-target");
    fs::create_dir_all(&target).unwrap();
    std::os::unix::fs::symlink(&target, &trial.cluster().sockets).unwrap();
    let fault = trial.cluster().make_socket_directory().unwrap_err();
    assert!(fault.to_string().contains("is not a directory of this user"), "{fault}");
    fs::remove_file(&trial.cluster().sockets).unwrap();
}

#[test]
fn why_it_did_not_start_is_said_in_one_line() {
    let mut trial = Trial::new("why");
    trial.start("a");
    trial.cluster().stop().unwrap();
    let conf = trial.cluster().data().join("postgresql.conf");
    fs::write(conf, "no_such_setting = 1\n").unwrap();
    let fault = trial.cluster().start("a").unwrap_err().to_string();
    assert!(fault.contains("PostgreSQL did not start") && fault.contains("no_such_setting"), "{fault}");
    assert_eq!(fault.lines().count(), 1);
}

#[test]
fn sockets_are_where_a_path_fits() {
    let in_directory = |path: &Path| Environment { runtime_directory: Some(path.into()), ..Environment::default() };
    let short = scratch("runtime");
    fs::create_dir_all(&short).unwrap();
    assert_eq!(socket_directory(&in_directory(&short), 7, "h"), short.join("sigid-h"));
    let long = short.join("x".repeat(90));
    let comma = short.join("a,b");
    for unfit in [&long, &comma, &short.join("missing"), Path::new("relative")] {
        if unfit.is_absolute() && !unfit.ends_with("missing") {
            fs::create_dir_all(unfit).unwrap();
        }
        assert_eq!(socket_directory(&in_directory(unfit), 7, "h"), Path::new("/tmp/sigid-7-h"), "{}", unfit.display());
    }
    assert_eq!(socket_directory(&Environment::default(), 7, "h"), Path::new("/tmp/sigid-7-h"));
}

#[test]
fn a_path_is_escaped_in_the_url() {
    assert_eq!(percent_encode(Path::new("/tmp/a b&c")), "/tmp/a%20b%26c");
    assert_eq!(percent_encode(Path::new("/run/user/1000/sigid-0a")), "/run/user/1000/sigid-0a");
}
