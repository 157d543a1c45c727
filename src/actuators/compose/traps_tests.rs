use serde_json::json;

use super::*;

const VOLUME: &str = "1703764489ca9b5e96d0bfb7290d1fca5a335c2c428e0b790ce8cc84a165d6ec";

fn ports(bindings: &Value) -> Option<u32> {
    let donor = json!({"HostConfig": {"PortBindings": bindings}});
    let found = ceiling(&donor, Naming::Numbered('-'), false)?;
    assert_eq!(found.why.reason, Reason::HostPort);
    Some(found.replicas)
}

#[test]
fn published_ports_limit_how_many_replicas_there_can_be() {
    for (bindings, most) in [
        (json!({"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}), Some(1)),
        (json!({"80/tcp": [{"HostIp": "", "HostPort": "8080-8082"}]}), Some(3)),
        (json!({"80/tcp": [{"HostPort": ""}], "81/tcp": [{"HostPort": "0"}]}), None),
        (json!({"80/tcp": [{"HostPort": "8080-8089"}], "81/tcp": [{"HostPort": "9000-9001"}]}), Some(2)),
        (json!({"80/tcp": [{"HostPort": ""}, {"HostIp": "::1", "HostPort": "80"}]}), Some(1)),
        (json!({"80/tcp": null}), None),
        (json!({}), None),
        (json!(null), None),
    ] {
        assert_eq!(ports(&bindings), most, "{bindings}");
    }
}

#[test]
fn the_message_names_the_port_and_what_would_help() {
    let donor = json!({"HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": "8080"}]}}});
    let message = ceiling(&donor, Naming::Numbered('-'), false).unwrap().why.message;
    assert!(message.contains("host port 8080") && message.contains("publish \"80\" alone"), "{message}");
}

#[test]
fn a_fixed_name_or_address_leaves_room_for_one() {
    let named = ceiling(&json!({}), Naming::Fixed, false).unwrap();
    assert_eq!((named.replicas, named.why.reason), (1, Reason::FixedContainerName));
    for donor in [
        json!({"NetworkSettings": {"Networks": {"n": {"IPAMConfig": {"IPv4Address": "10.0.0.9"}}}}}),
        json!({"NetworkSettings": {"Networks": {"n": {"IPAMConfig": {"IPv6Address": "fd00::9"}}}}}),
        json!({"Config": {"MacAddress": "02:42:ac:11:00:99"}}),
    ] {
        let found = ceiling(&donor, Naming::Numbered('-'), false).unwrap();
        assert_eq!((found.replicas, found.why.reason), (1, Reason::StaticAddress), "{donor}");
    }
    let dynamic = json!({
        "NetworkSettings": {"Networks": {"n": {"IPAMConfig": {}, "IPAddress": "10.0.0.9", "MacAddress": "02:42:0a:00:00:09"}}},
        "Config": {"MacAddress": ""},
    });
    assert_eq!(ceiling(&dynamic, Naming::Numbered('-'), false), None);
}

#[test]
fn a_shared_volume_is_remarked_and_stops_only_what_keeps_data_of_its_own() {
    let donor = |mount: Value| json!({"Mounts": [mount]});
    let named = donor(json!({"Type": "volume", "Name": "shop_data", "RW": true}));
    assert_eq!(shared_volume(&named).unwrap().reason, Reason::SharedVolume);
    assert_eq!(ceiling(&named, Naming::Numbered('-'), false), None);
    assert_eq!(ceiling(&named, Naming::Numbered('-'), true).unwrap().replicas, 1);
    for other in [
        donor(json!({"Type": "volume", "Name": VOLUME, "RW": true})),
        donor(json!({"Type": "volume", "Name": "shop_data", "RW": false})),
        donor(json!({"Type": "bind", "Source": "/srv", "RW": true})),
        json!({}),
    ] {
        assert_eq!(shared_volume(&other), None, "{other}");
    }
}

#[test]
fn borrowed_namespaces_and_volumes_are_listed_once() {
    let donor = json!({"HostConfig": {
        "NetworkMode": "container:abc", "IpcMode": "private", "PidMode": "container:abc", "VolumesFrom": ["def:ro"],
    }});
    assert_eq!(borrowed_from(&donor), ["abc", "def"]);
    assert!(
        borrowed_from(&json!({"HostConfig": {"NetworkMode": "shop_default", "VolumesFrom": null}}))
            .is_empty()
    );
}

#[test]
fn a_secret_that_is_no_mount_is_found_among_the_donors_own_files() {
    let changes = json!([
        {"Path": "/run", "Kind": 0}, {"Path": "/run/secrets", "Kind": 1}, {"Path": "/run/secrets/token", "Kind": 1},
    ]);
    let found = written_secrets(&json!({"Mounts": []}), &changes).unwrap();
    assert_eq!(found.reason, Reason::NotCloneable);
    assert!(found.message.contains("/run/secrets/token"));
    let mounted = json!({"Mounts": [{"Type": "bind", "Destination": "/run/secrets/token"}]});
    assert_eq!(written_secrets(&mounted, &changes), None);
    assert_eq!(written_secrets(&json!({}), &json!(null)), None);
}

#[test]
fn starts_are_alone_only_where_ports_are_given_out() {
    assert!(publishes_ports(&json!({"HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": ""}]}}})));
    assert!(publishes_ports(&json!({"HostConfig": {"PublishAllPorts": true, "PortBindings": {}}})));
    assert!(!publishes_ports(&json!({"HostConfig": {"PublishAllPorts": false, "PortBindings": {}}})));
}
