package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"

	tlog "github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
)

// hashEvent computes the leaf, which has a digest in place of the personal parts.
func hashEvent(e event) ([]byte, error) {
	leaf, err := canonical(map[string]any{
		"id": e.ID, "at": e.At, "action": e.Action, "outcome": e.Outcome, "reason": e.Reason,
		"request_id": e.RequestID, "details": e.Details, "personal_digest": e.PersonalDigest,
		"actor":  map[string]any{"type": e.Actor.Type, "id": e.Actor.ID},
		"target": map[string]any{"type": e.Target.Type, "id": e.Target.ID},
	})
	if err != nil {
		return nil, err
	}
	return rfc6962.DefaultHasher.HashLeaf(leaf), nil
}

func isSame(one, other *string) bool {
	return one == other || (one != nil && other != nil && *one == *other)
}

func checkPersonalParts(e event) error {
	isExpired := e.Expired != nil && *e.Expired
	if e.Personal == nil {
		isRight := e.Erased != isExpired
		if e.PersonalDigest == nil {
			isRight = !isExpired && e.Erased == (e.Target.Type == "identity")
		}
		if !isRight || e.Actor.ActingFor != nil || e.Target.ExternalID != nil {
			return errors.New("the personal parts are missing")
		}
		return nil
	}
	if e.Erased || isExpired {
		return errors.New("the personal parts are shown, although they are gone")
	}
	parts, err := canonical(e.Personal)
	if err != nil {
		return err
	}
	digest := sha256.Sum256(parts)
	shown := hex.EncodeToString(digest[:])
	if !isSame(e.PersonalDigest, &shown) ||
		!isSame(e.Actor.ActingFor, e.Personal.ActingFor) ||
		!isSame(e.Target.ExternalID, e.Personal.ExternalID) {
		return errors.New("the personal parts were changed")
	}
	return nil
}

// openCheckpoint verifies the signature, and that the fields beside the note repeat it.
func openCheckpoint(given checkpoint, keys map[string]bool) (*tlog.Checkpoint, error) {
	if !keys[given.PublicKey] {
		return nil, errors.New("the checkpoint is signed by an unknown key")
	}
	key, err := base64.StdEncoding.DecodeString(given.PublicKey)
	if err != nil {
		return nil, err
	}
	text, err := note.NewEd25519VerifierKey(given.Origin, ed25519.PublicKey(key))
	if err != nil {
		return nil, err
	}
	verifier, err := note.NewVerifier(text)
	if err != nil {
		return nil, err
	}
	head, rest, signed, err := tlog.ParseCheckpoint([]byte(given.Note), given.Origin, verifier)
	if err != nil {
		return nil, err
	}
	if head.Size != given.TreeSize || hex.EncodeToString(head.Hash) != given.RootHash ||
		string(rest) != "sealed_at "+given.SealedAt+"\n" {
		return nil, errors.New("the checkpoint says something else beside its note than in it")
	}
	// The library ignores the last bits of the base64 text, which have no meaning.
	blob, err := base64.StdEncoding.Strict().DecodeString(signed.Sigs[0].Base64)
	if err != nil || len(blob) == 0 {
		return nil, errors.New("the signature is not written as the service writes it")
	}
	return head, nil
}

func decodeHashes(texts []string) ([][]byte, error) {
	hashes := [][]byte{}
	for _, text := range texts {
		hash, err := hex.DecodeString(text)
		if err != nil {
			return nil, err
		}
		if hex.EncodeToString(hash) != text {
			return nil, errors.New("a hash has capital letters")
		}
		hashes = append(hashes, hash)
	}
	return hashes, nil
}

func verify(text []byte, keys map[string]bool) error {
	b, err := parse(text)
	if err != nil {
		return err
	}
	if err := checkPersonalParts(b.Event); err != nil {
		return err
	}
	leaf, err := hashEvent(b.Event)
	if err != nil {
		return err
	}
	if b.Proof.EventID != b.Event.ID || b.Proof.LeafIndex != b.Event.LeafIndex ||
		b.Proof.LeafHash != hex.EncodeToString(leaf) || b.Proof.TreeSize != b.Checkpoint.TreeSize {
		return errors.New("the event was changed, or the proof is about another one")
	}
	hashes, err := decodeHashes(b.Proof.Hashes)
	if err != nil {
		return err
	}
	head, err := openCheckpoint(b.Checkpoint, keys)
	if err != nil {
		return err
	}
	return proof.VerifyInclusion(
		rfc6962.DefaultHasher, b.Event.LeafIndex, head.Size, leaf, hashes, head.Hash)
}
