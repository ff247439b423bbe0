//! Looks at the log: one answer is enough to begin a view, and one to move it on.

use std::sync::atomic::Ordering;

use axum::http::Request;
use chain::id::Digest;
use chain::log::policy::Policy;
use chain::proven::{ProvenGenesis, ProvenHeader};
use chain::view::{LogEvidence, View, ViewError};
use protocol::api::{AccountAnswer, GenesisAnswer, HandleAnswer, Head};
use service::Service;

use crate::world::{LOOPBACK, World, account, answer, bytes};

fn genesis(service: &Service, query: &str) -> Result<GenesisAnswer, String> {
    answer(service, Request::get(format!("/v1/genesis{query}")), "", LOOPBACK)
}

fn newest(head: &Head) -> ProvenHeader {
    ProvenHeader {
        checkpoint: head.checkpoint.clone().into_bytes(),
        header: head.header.0.clone(),
        inclusion: head.inclusion.0.clone(),
    }
}

fn first_look(world: &World, service: &Service) -> View {
    let found = genesis(service, "").unwrap();
    assert_eq!(found.head.consistency, None);
    let policy: Policy = std::fs::read_to_string(service.policy_path()).unwrap().parse().unwrap();
    let genesis =
        ProvenGenesis { header: found.genesis.0, inclusion: found.genesis_inclusion.0, parameters: found.parameters.0 };
    View::begin(policy, genesis, newest(&found.head), world.now_s.load(Ordering::Relaxed)).unwrap()
}

/// What a client does with a head: the root in front of the path is for a fork, so it goes if it is its own.
fn advance(world: &World, view: &View, head: &Head) -> Result<View, ViewError> {
    let mut consistency: Vec<Digest> = head.consistency.clone().unwrap_or_default().0;
    if view.size().is_power_of_two() && consistency.first() == Some(&view.root()) {
        consistency.remove(0);
    }
    view.advance(&LogEvidence { newest: newest(head), consistency }, world.now_s.load(Ordering::Relaxed))
}

/// CHK-1, CHK-2: from every size, a power of two or not, every kind of answer leads to its own head.
#[test]
fn one_answer_is_enough_to_begin_a_view_and_one_to_move_it_on() {
    let world = World::new();
    let service = world.open().unwrap();
    let mut views = vec![first_look(&world, &service)];
    let mut last = None;
    for _ in 0..8 {
        last = Some(account(&service).0);
        views.push(first_look(&world, &service));
    }
    let (id, size) = (last.unwrap(), views.last().unwrap().size());
    assert_eq!(views.iter().map(View::size).collect::<Vec<_>>(), (1..=9).collect::<Vec<_>>());
    for view in &views {
        let from = view.size();
        let looked = genesis(&service, &format!("?from={from}")).unwrap().head;
        for path in [format!("/v1/accounts/{id}?from={from}"), format!("/v1/accounts/{id}?from={from}&at=latest")] {
            let found: AccountAnswer = answer(&service, Request::get(path), "", LOOPBACK).unwrap();
            assert_eq!(found.head, looked);
        }
        let question = format!("{{\"handle\":\"alice\",\"from\":{from}}}");
        let found: HandleAnswer = answer(&service, Request::post("/v1/handles/lookup"), question, LOOPBACK).unwrap();
        assert_eq!(found.head, looked);
        assert_eq!(advance(&world, view, &looked).unwrap().size(), size);
        assert_eq!(looked.consistency.unwrap().0.is_empty(), from == size);
    }
}

/// Whoever has seen more than there is gets a head without a proof, and sees that the log went back.
#[test]
fn a_view_that_is_ahead_finds_out_that_the_log_went_back() {
    let world = World::new();
    let service = world.open().unwrap();
    account(&service);
    service.close().unwrap();
    let older = World::new();
    world.copy_to(&older.data);
    let service = world.open().unwrap();
    account(&service);
    let view = first_look(&world, &service);
    let rolled_back = older.open().unwrap();
    let head = genesis(&rolled_back, "?from=3").unwrap().head;
    assert_eq!(head.consistency, None);
    let refused = advance(&world, &view, &head).unwrap_err();
    assert_eq!(refused, ViewError::Rollback { known: 3, offered: 2 });
}

/// From a complete tree, whose root the usual proof leaves out, and from another, a fork convicts itself.
#[test]
fn a_fork_is_shown_by_the_answer_alone() {
    for blocks_before in [1, 2] {
        let world = World::new();
        world.open().unwrap().close().unwrap();
        let other = World::new();
        world.copy_to(&other.data);
        let (service, fork) = (world.open().unwrap(), other.open().unwrap());
        (0..blocks_before).for_each(|_| drop(account(&service)));
        (0..4).for_each(|_| drop(account(&fork)));
        let view = first_look(&world, &service);
        assert_eq!(view.size(), blocks_before + 1);
        let head = genesis(&fork, &format!("?from={}", view.size())).unwrap().head;
        let refused = advance(&world, &view, &head).unwrap_err();
        assert!(matches!(&refused, ViewError::Lie { code: "chain.fork", .. }), "{refused:?}");
    }
}

#[test]
fn a_size_that_is_none_is_refused_and_zero_has_no_proof() {
    let world = World::new();
    let service = world.open().unwrap();
    for bad in ["?from=x", "?from=-1", "?from=", "?from=18446744073709551616", "?since=1", "?from=1&from=1"] {
        assert_eq!(genesis(&service, bad).unwrap_err(), "request.malformed", "{bad}");
    }
    for none in ["?from=0", "?from=18446744073709551615"] {
        assert_eq!(genesis(&service, none).unwrap().head.consistency, None, "{none}");
    }
}

/// PPL-4: a contact link in a browser. The service has one page for all of them, and looks at no token.
#[test]
fn a_contact_link_leads_to_the_same_page_whosoever_it_is() {
    let world = World::new();
    let service = world.open().unwrap();
    let page = bytes(&service, "/i/AAAAAAAAAAAAAAAAAAAAAA");
    assert!(String::from_utf8(page.clone()).unwrap().contains("trefoil contact add"));
    assert_eq!(bytes(&service, "/i/nobodys"), page);
}
