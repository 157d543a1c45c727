use proptest::prelude::*;

use super::*;

const MIB: f64 = 1_048_576.0;

fn limit(kind: LimitKind, value: impl Into<Option<f64>>) -> NewLimit {
    NewLimit { kind, value: value.into() }
}

fn sent(host: &Value, kind: LimitKind, value: impl Into<Option<f64>>) -> Value {
    Value::Object(update(host, &[limit(kind, value)], 4).unwrap())
}

fn refusal(host: &Value, kind: LimitKind, value: impl Into<Option<f64>>) -> String {
    update(host, &[limit(kind, value)], 4).unwrap_err().message
}

#[test]
fn cpu_limits_are_read_from_whichever_field_holds_them() {
    for (host, cpus) in [
        (json!({"NanoCpus": 1_500_000_000_u64}), Some(1.5)),
        (json!({"CpuQuota": 50_000, "CpuPeriod": 25_000}), Some(2.0)),
        (json!({"CpuQuota": 50_000, "CpuPeriod": 0}), Some(0.5)),
        (json!({"NanoCpus": 0, "CpuQuota": -1}), None),
        (json!({}), None),
    ] {
        assert_eq!(read(&host).cpus, cpus, "{host}");
    }
}

#[test]
fn every_kind_that_a_container_has_is_read() {
    let host = json!({
        "Memory": 1024, "PidsLimit": 64, "CpuShares": 512, "BlkioWeight": 250, "CpusetCpus": "0-2,5", "CpuQuota": 20_000,
    });
    let expected = Limits {
        cpus: Some(0.2),
        memory: Some(1_024.0),
        tasks: Some(64.0),
        cpu_weight: Some(50.0),
        io_weight: Some(50.0),
        allowed_cpus: Some(4.0),
        ..Limits::default()
    };
    assert_eq!(read(&host), expected);
    let free = read(&json!({"Memory": BOUNDLESS, "PidsLimit": -1, "CpuShares": 0, "CpusetCpus": ""}));
    assert_eq!((free.memory, free.tasks, free.allowed_cpus), (None, None, None));
    assert_eq!((free.cpu_weight, free.io_weight), (Some(100.0), Some(100.0)), "of what was given none");
}

#[test]
fn cpu_time_stays_in_the_field_that_the_container_has_it_in() {
    use LimitKind::CpuQuota;
    for (host, percent, body) in [
        (json!({"NanoCpus": 500_000_000}), 150.0, json!({"NanoCpus": 1_500_000_000})),
        (json!({"CpuQuota": 20_000, "CpuPeriod": 50_000}), 150.0, json!({"CpuQuota": 75_000})),
        (json!({"CpuQuota": -1}), 33.0, json!({"CpuQuota": 33_000})),
        (json!({}), 150.0, json!({"CpuQuota": 150_000})),
    ] {
        assert_eq!(sent(&host, CpuQuota, percent), body, "{host}");
    }
    assert_eq!(sent(&json!({"CpuQuota": 20_000}), CpuQuota, None), json!({"CpuQuota": -1}));
    assert!(refusal(&json!({"NanoCpus": 500_000_000}), CpuQuota, None).contains("cannot lift a CPU limit"));
}

#[test]
fn swap_keeps_its_distance_from_memory() {
    let mib = |count: i64| count << 20;
    for (memory, swap, bytes, with_swap) in [
        (mib(64), mib(128), mib(256), mib(320)),
        (mib(64), mib(64), mib(32), mib(32)),
        (mib(64), -1, mib(128), -1),
        (0, 0, mib(64), -1),
        (0, -1, mib(64), -1),
        (mib(64), 0, mib(32), mib(64)),
        (BOUNDLESS, BOUNDLESS + mib(64), mib(64), mib(128)),
    ] {
        let host = json!({"Memory": memory, "MemorySwap": swap});
        let body = json!({"Memory": bytes, "MemorySwap": with_swap});
        assert_eq!(sent(&host, LimitKind::MemoryMax, bytes as f64), body, "{host}");
    }
    let host = json!({"Memory": mib(64), "MemorySwap": mib(128)});
    let lifted = json!({"Memory": BOUNDLESS, "MemorySwap": BOUNDLESS + mib(64)});
    assert_eq!(sent(&host, LimitKind::MemoryMax, None), lifted);
    assert_eq!(read(&lifted).memory, None);
}

#[test]
fn memory_does_not_go_below_what_is_reserved() {
    let host = json!({"Memory": 128 << 20, "MemoryReservation": 64 << 20});
    let message = refusal(&host, LimitKind::MemoryMax, 32.0 * MIB);
    assert!(message.contains("memoryMax 32MiB") && message.contains("reservation of 64MiB"), "{message}");
}

#[test]
fn other_limits_have_a_field_each() {
    for (kind, value, body) in [
        (LimitKind::TasksMax, Some(250.0), json!({"PidsLimit": 250})),
        (LimitKind::CpuWeight, Some(200.0), json!({"CpuShares": 2_048})),
        (LimitKind::CpuWeight, Some(1.0), json!({"CpuShares": 10})),
        (LimitKind::IoWeight, Some(50.0), json!({"BlkioWeight": 250})),
        (LimitKind::AllowedCpus, Some(2.0), json!({"CpusetCpus": "0,1"})),
    ] {
        assert_eq!(sent(&json!({}), kind, value), body, "{kind}");
    }
    let set = json!({"PidsLimit": 9, "CpuShares": 9, "BlkioWeight": 9, "CpusetCpus": "3"});
    for (kind, body) in [
        (LimitKind::TasksMax, json!({"PidsLimit": -1})),
        (LimitKind::CpuWeight, json!({"CpuShares": 1_024})),
        (LimitKind::IoWeight, json!({"BlkioWeight": 500})),
        (LimitKind::AllowedCpus, json!({"CpusetCpus": "0,1,2,3"})),
    ] {
        assert_eq!(sent(&set, kind, None), body, "{kind} lifted");
    }
}

#[test]
fn a_container_keeps_the_cpus_it_has() {
    for (present, count, chosen) in
        [("3", 2.0, "0,3"), ("1-3", 2.0, "1,2"), ("0-3", 1.0, "0"), ("2,3", 4.0, "0,1,2,3")]
    {
        let host = json!({"CpusetCpus": present});
        assert_eq!(sent(&host, LimitKind::AllowedCpus, count), json!({"CpusetCpus": chosen}), "{present}");
    }
    assert!(refusal(&json!({}), LimitKind::AllowedCpus, 5.0).contains("on a host with 4 CPUs"));
}

#[test]
fn what_containers_do_not_have_is_refused() {
    assert!(refusal(&json!({}), LimitKind::MemoryHigh, MIB).contains("use `memoryMax`"));
    assert!(refusal(&json!({}), LimitKind::IoWeight, 1.0).contains("`ioWeight` of 2 to 200"));
    assert!(refusal(&json!({}), LimitKind::IoWeight, 201.0).contains("`ioWeight` of 2 to 200"));
}

#[test]
fn all_kinds_go_in_one_body() {
    let wanted = [limit(LimitKind::CpuQuota, 100.0), limit(LimitKind::TasksMax, 128.0)];
    let body = json!({"CpuQuota": 100_000, "PidsLimit": 128});
    assert_eq!(Value::Object(update(&json!({}), &wanted, 4).unwrap()), body);
}

#[test]
fn no_limit_is_what_a_container_has_that_was_given_none() {
    let given_none = read(&json!({}));
    for kind in LimitKind::ALL {
        assert!(agrees(&given_none, limit(kind, None)), "{kind}");
    }
    assert!(!agrees(&given_none, limit(LimitKind::TasksMax, 64.0)));
    assert!(!agrees(&read(&json!({"CpuShares": 2})), limit(LimitKind::CpuWeight, None)));
}

proptest! {
    #[test]
    fn what_was_sent_is_read_again(
        percent in 1_u32..=10_000, period in 10_000_u32..=1_000_000, mib in 6_u32..=1_000_000, weight in 1_u32..=10_000,
        io in 2_u32..=200, cpus in 1_u32..=4, tasks in 1_u32..=4_194_304, nanos: bool,
    ) {
        let mut host = json!({"CpuPeriod": period, "Memory": 64 << 20, "MemorySwap": 128 << 20});
        if nanos {
            host = json!({"NanoCpus": 10_000_000});
        }
        let wanted = [
            limit(LimitKind::CpuQuota, f64::from(percent)),
            limit(LimitKind::MemoryMax, f64::from(mib) * MIB),
            limit(LimitKind::TasksMax, f64::from(tasks)),
            limit(LimitKind::CpuWeight, f64::from(weight)),
            limit(LimitKind::IoWeight, f64::from(io)),
            limit(LimitKind::AllowedCpus, f64::from(cpus)),
        ];
        let body = update(&host, &wanted, 4).unwrap();
        host.as_object_mut().unwrap().extend(body);
        let seen = read(&host);
        for limit in wanted {
            prop_assert!(agrees(&seen, limit), "{limit:?} is read as {:?}", seen.of(limit.kind));
        }
    }
}
