package main

import (
	"bytes"
	"encoding/json"
	"errors"

	"github.com/gowebpki/jcs"
)

type actor struct {
	Type      string  `json:"type"`
	ID        *string `json:"id"`
	ActingFor *string `json:"acting_for"`
}

type target struct {
	Type       string  `json:"type"`
	ID         string  `json:"id"`
	ExternalID *string `json:"external_id"`
}

type personalParts struct {
	ExternalID *string `json:"external_id,omitempty"`
	Address    *string `json:"address,omitempty"`
	Agent      *string `json:"agent,omitempty"`
	ActingFor  *string `json:"acting_for,omitempty"`
	Nonce      string  `json:"nonce"`
}

type event struct {
	ID             string          `json:"id"`
	At             string          `json:"at"`
	Actor          actor           `json:"actor"`
	Action         string          `json:"action"`
	Target         target          `json:"target"`
	Outcome        string          `json:"outcome"`
	Reason         *string         `json:"reason"`
	RequestID      *string         `json:"request_id"`
	Details        json.RawMessage `json:"details"`
	LeafIndex      uint64          `json:"leaf_index"`
	Personal       *personalParts  `json:"personal"`
	PersonalDigest *string         `json:"personal_digest"`
	Erased         bool            `json:"erased"`
	Expired        *bool           `json:"expired,omitempty"`
}

type inclusionProof struct {
	EventID   string   `json:"event_id"`
	LeafIndex uint64   `json:"leaf_index"`
	LeafHash  string   `json:"leaf_hash"`
	TreeSize  uint64   `json:"tree_size"`
	Hashes    []string `json:"hashes"`
}

type checkpoint struct {
	Origin    string `json:"origin"`
	TreeSize  uint64 `json:"tree_size"`
	RootHash  string `json:"root_hash"`
	SealedAt  string `json:"sealed_at"`
	PublicKey string `json:"public_key"`
	Note      string `json:"note"`
}

type bundle struct {
	Format     string          `json:"format"`
	Version    int             `json:"version"`
	Event      event           `json:"event"`
	Proof      inclusionProof  `json:"proof"`
	Checkpoint checkpoint      `json:"checkpoint"`
	Keys       json.RawMessage `json:"keys"`
}

// canonical returns the JSON of a value in the form of RFC 8785.
func canonical(value any) ([]byte, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	return jcs.Transform(text)
}

// parse refuses names that a bundle does not have, and those in other letters, which encoding/json accepts.
func parse(text []byte) (*bundle, error) {
	var parsed bundle
	if err := json.Unmarshal(text, &parsed); err != nil {
		return nil, err
	}
	given, err := jcs.Transform(text)
	if err != nil {
		return nil, err
	}
	read, err := canonical(parsed)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(given, read) {
		return nil, errors.New("the bundle has other members than version 1")
	}
	if parsed.Format != "edge-idp/audit-bundle" || parsed.Version != 1 {
		return nil, errors.New("this is no bundle of version 1")
	}
	return &parsed, nil
}
