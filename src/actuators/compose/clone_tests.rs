use super::*;

const ID: &str = "8098700e658744cf23774bd5587c4ec5ba43c8c7d0e71fff6648e3b81c6420ec";
const VOLUME: &str = "1703764489ca9b5e96d0bfb7290d1fca5a335c2c428e0b790ce8cc84a165d6ec";
const NOW: ApiVersion = ApiVersion::new(1, 45);
const OLD: ApiVersion = ApiVersion::new(1, 41);

/// A donor in two networks, as an engine of API 1.45 shows it.
fn donor() -> Value {
    json!({
        "Id": ID,
        "Name": "/shop-web-1",
        "Image": "sha256:6bf7",
        "Config": {
            "Hostname": "8098700e6587", "Image": "shop/web", "Env": ["A=1"], "Cmd": ["serve"], "StopSignal": "SIGINT",
            "Healthcheck": {"Test": ["CMD", "true"]}, "Volumes": {"/data": {}}, "FieldOfTomorrow": {"kept": true},
            "Labels": {
                labels::PROJECT: "shop", labels::SERVICE: "web", labels::NUMBER: "1", labels::ONE_OFF: "False",
                labels::CONFIG_HASH: "h1", labels::IMAGE: "sha256:6bf7", labels::REPLACE: "old", labels::SLUG: "x",
                "dev.docktor.change": "c0", "team": "front",
            },
        },
        "HostConfig": {
            "NetworkMode": "shop_front", "ContainerIDFile": "/run/id", "Memory": 1024, "NanoCpus": 500,
            "PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "8080-8082"}]}, "FieldOfTomorrow": 7,
        },
        "NetworkSettings": {"Networks": {
            "shop_front": {
                "Aliases": ["shop-web-1", "web", "www"], "NetworkID": "n1", "EndpointID": "e1", "Gateway": "10.0.0.1",
                "IPAddress": "10.0.0.2", "IPPrefixLen": 16, "MacAddress": "02:42:0a:00:00:02",
                "GlobalIPv6Address": "", "IPAMConfig": {}, "Links": null, "DriverOpts": null, "GwPriority": 0,
                "DNSNames": ["shop-web-1", "web", "www", "8098700e6587"],
            },
            "shop_back": {
                "Aliases": ["shop-web-1", "web"], "NetworkID": "n2", "IPAddress": "10.1.0.2",
                "DriverOpts": {"o": "1"}, "GwPriority": 5, "Links": ["db:database"],
                "IPAMConfig": {"LinkLocalIPs": ["169.254.1.1"]},
            },
        }},
    })
}

fn request_for(donor: &Value, api: ApiVersion) -> CloneRequest {
    let (policy, change) = (PolicyKey::new("web"), ChangeId::new("c7"));
    let identity =
        Identity { name: "shop-web-4", number: 4, image: "shop/web", policy: &policy, change: &change };
    clone(donor, identity, api)
}

/// The donor with one field, given as a JSON pointer, set to something else.
fn with(pointer: &str, value: Value) -> Value {
    let mut donor = donor();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    donor.pointer_mut(parent).unwrap()[key] = value;
    donor
}

#[test]
fn what_the_user_set_is_kept_known_to_docktor_or_not() {
    let body = request_for(&donor(), NOW).body;
    for key in ["Env", "Cmd", "StopSignal", "Healthcheck", "Volumes", "FieldOfTomorrow"] {
        assert_eq!(body[key], donor()["Config"][key], "{key}");
    }
    for key in ["NetworkMode", "Memory", "NanoCpus", "PortBindings", "FieldOfTomorrow"] {
        assert_eq!(body["HostConfig"][key], donor()["HostConfig"][key], "{key}");
    }
    assert_eq!(body["HostConfig"].get("ContainerIDFile"), None);
}

#[test]
fn labels_are_copied_but_for_the_number_and_what_was_the_donors_alone() {
    let body = request_for(&donor(), NOW).body;
    let expected = json!({
        labels::PROJECT: "shop", labels::SERVICE: "web", labels::NUMBER: "4", labels::ONE_OFF: "False",
        labels::CONFIG_HASH: "h1", labels::IMAGE: "sha256:6bf7", "team": "front",
        labels::POLICY: "web", labels::CHANGE: "c7", labels::DONOR: ID,
    });
    assert_eq!(body["Labels"], expected);
}

#[test]
fn a_host_name_is_kept_only_where_the_user_chose_it() {
    let hostname = |donor: &Value| request_for(donor, NOW).body.get("Hostname").cloned();
    assert_eq!(hostname(&donor()), None);
    assert_eq!(hostname(&with("/Config/Hostname", json!("front"))), Some(json!("front")));
    let mut shares = with("/HostConfig/NetworkMode", json!("container:abc"));
    shares["Config"]["Hostname"] = json!("of-the-other");
    shares["Config"]["ExposedPorts"] = json!({"80/tcp": {}});
    assert_eq!(hostname(&shares), None);
    assert_eq!(request_for(&shares, NOW).body.get("ExposedPorts"), None);
    let mut uts = with("/HostConfig/UTSMode", json!("host"));
    uts["Config"]["Hostname"] = json!("of-the-host");
    assert_eq!(hostname(&uts), None);
}

#[test]
fn a_mac_address_is_never_copied() {
    let body = request_for(&with("/Config/MacAddress", json!("02:42:ac:11:00:99")), NOW).body;
    assert!(!body.to_string().contains("02:42"), "{body}");
}

#[test]
fn endpoints_keep_what_the_user_wanted_and_nothing_that_the_engine_gave() {
    let request = request_for(&donor(), NOW);
    let endpoints = json!({
        "shop_front": {"Aliases": ["shop-web-4", "web", "www"]},
        "shop_back": {
            "Aliases": ["shop-web-4", "web"], "DriverOpts": {"o": "1"}, "GwPriority": 5, "Links": ["db:database"],
            "IPAMConfig": {"LinkLocalIPs": ["169.254.1.1"]},
        },
    });
    assert_eq!(request.body["NetworkingConfig"]["EndpointsConfig"], endpoints);
    assert_eq!(request.connect, []);
}

#[test]
fn below_api_1_44_only_the_primary_network_is_in_the_create_call() {
    for (api, at_once) in [(OLD, 1), (ApiVersion::new(1, 43), 1), (ApiVersion::new(1, 44), 2), (NOW, 2)] {
        let request = request_for(&donor(), api);
        let endpoints = request.body["NetworkingConfig"]["EndpointsConfig"].as_object().unwrap();
        assert_eq!(endpoints.len(), at_once, "{api}");
        assert!(endpoints.contains_key("shop_front"));
        assert_eq!(request.connect.len(), 2 - at_once);
        assert!(request.connect.iter().all(|(network, _)| network == "shop_back"));
    }
}

#[test]
fn aliases_lose_the_donors_name_and_short_id_in_both_generations() {
    for aliases in [json!(["shop-web-1", "web", "www"]), json!(["shop-web-1", "web", "www", "8098700e6587"])]
    {
        let donor = with("/NetworkSettings/Networks/shop_front/Aliases", aliases);
        let body = request_for(&donor, OLD).body;
        let endpoint = &body["NetworkingConfig"]["EndpointsConfig"]["shop_front"];
        assert_eq!(endpoint["Aliases"], json!(["shop-web-4", "web", "www"]));
    }
}

#[test]
fn networks_without_aliases_get_none() {
    let mut donor = with("/HostConfig/NetworkMode", json!("bridge"));
    donor["NetworkSettings"]["Networks"] = json!({"bridge": {"Aliases": null, "IPAddress": "172.17.0.2"}});
    assert_eq!(request_for(&donor, NOW).body["NetworkingConfig"]["EndpointsConfig"], json!({"bridge": {}}));
}

#[test]
fn a_mode_that_is_no_network_has_no_endpoints() {
    for mode in ["host", "none", "container:abc"] {
        let request = request_for(&with("/HostConfig/NetworkMode", json!(mode)), OLD);
        assert_eq!(request.body.get("NetworkingConfig"), None, "{mode}");
        assert_eq!(request.connect, [], "{mode}");
        assert_eq!(request.body["HostConfig"]["NetworkMode"], mode);
    }
}

#[test]
fn every_replica_gets_anonymous_volumes_of_its_own() {
    let mounts = json!([
        {"Type": "volume", "Source": VOLUME, "Target": "/data"},
        {"Type": "volume", "Source": "shop_named", "Target": "/named"},
        {"Type": "bind", "Source": "/srv", "Target": "/srv"},
        {"Type": "volume", "Target": "/fresh"},
    ]);
    let mut donor = with("/HostConfig/Mounts", mounts);
    donor["HostConfig"]["Binds"] =
        json!([format!("{VOLUME}:/cache:rw"), "shop_named:/n:rw", "/host:/h:ro", format!("{VOLUME}:/tmp")]);
    let host = &request_for(&donor, NOW).body["HostConfig"];
    assert_eq!(host["Mounts"][0], json!({"Type": "volume", "Target": "/data"}));
    assert_eq!(host["Mounts"][1]["Source"], "shop_named");
    assert_eq!(host["Mounts"][2]["Source"], "/srv");
    assert_eq!(host["Binds"], json!(["/cache", "shop_named:/n:rw", "/host:/h:ro", "/tmp"]));
}

#[test]
fn the_platform_is_that_of_the_donors_manifest() {
    let platform = |value: Value| request_for(&with("/ImageManifestDescriptor", value), NOW).platform;
    assert_eq!(platform(json!(null)), None);
    let arm = json!({"platform": {"os": "linux", "architecture": "arm", "variant": "v7"}});
    assert_eq!(platform(arm).as_deref(), Some("linux/arm/v7"));
    let amd = json!({"platform": {"os": "linux", "architecture": "amd64", "variant": ""}});
    assert_eq!(platform(amd).as_deref(), Some("linux/amd64"));
}

#[test]
fn the_image_is_the_one_that_was_chosen() {
    let (policy, change) = (PolicyKey::new("web"), ChangeId::new("c7"));
    let identity = Identity { name: "n", number: 2, image: "sha256:6bf7", policy: &policy, change: &change };
    assert_eq!(clone(&donor(), identity, NOW).body["Image"], "sha256:6bf7");
}

#[test]
fn an_answer_with_unset_fields_left_out_is_cloned_too() {
    let bare = json!({"Id": ID, "Name": "/shop-web-1", "Config": {"Labels": {}}, "HostConfig": {"NetworkMode": "bridge"}});
    let request = request_for(&bare, ApiVersion::NEWEST);
    assert_eq!(request.body["Labels"][labels::NUMBER], "4");
    assert_eq!(request.body.get("NetworkingConfig"), None);
}
