use nsc_ingest::*;
fn cpu() -> (f64, f64) { let s = std::fs::read_to_string("/proc/self/stat").unwrap(); let v: Vec<f64> = s.rsplit(')').next().unwrap().split_whitespace().skip(11).take(2).map(|x| x.parse::<f64>().unwrap() / 100.0).collect(); (v[0], v[1]) }
#[tokio::main]
async fn main() {
    let a: Vec<String> = std::env::args().collect();
    let lake = nsc_lake::Lake::open(&a[1], Default::default()).unwrap();
    for s in nsc_contracts::SOURCES {
        let c0 = cpu();
        let r = load(&lake, LoadRequest { source: s, inputs: vec![format!("{}/{}.jsonl", a[2], s.name).as_str().into()], source_system: None, batch_id: None, source_extracted_at: None, ingested_at: nsc_core::UtcMicros::new(1767571200000000), force: false }, &()).await.unwrap();
        let c1 = cpu();
        println!("{:20} rows {:8} wall {:.2} cpu user {:.2} sys {:.2} {:.2}M rows/s/cpu skipped {}", s.name, r.counts.rows, r.seconds, c1.0 - c0.0, c1.1 - c0.1, r.counts.rows as f64 / (c1.0 + c1.1 - c0.0 - c0.1) / 1e6, r.already_loaded);
    }
    println!("total cpu {:?}; {}", cpu(), std::fs::read_to_string("/proc/self/status").unwrap().lines().find(|l| l.starts_with("VmHWM")).unwrap());
}
