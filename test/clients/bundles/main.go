// Verifies bundles of events with the libraries of Go's own transparency logs, and nothing of this project:
// verify KEYS BUNDLE… prints true or false for each, and verify KEYS --changed MASKS BUNDLE… counts the changes of one
// byte that it made and those that it accepted. MASKS has one byte in hex for each way in which a byte is changed.
package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log"
	"os"
)

func readKeys(path string) (map[string]bool, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Keys []struct {
			PublicKey string `json:"public_key"`
		} `json:"keys"`
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return nil, err
	}
	keys := map[string]bool{}
	for _, key := range answer.Keys {
		keys[key.PublicKey] = true
	}
	return keys, nil
}

// countAccepted changes each byte before the list of keys, which is no part of the proof.
func countAccepted(text []byte, keys map[string]bool, masks []byte) (changes, accepted int) {
	end := bytes.Index(text, []byte(`"keys":[`))
	changed := bytes.Clone(text)
	for at := range end {
		for _, mask := range masks {
			changed[at] = text[at] ^ mask
			changes++
			if verify(changed, keys) == nil {
				accepted++
			}
		}
		changed[at] = text[at]
	}
	return changes, accepted
}

func read(path string) []byte {
	text, err := os.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	return text
}

func main() {
	keys, err := readKeys(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	paths := os.Args[2:]
	if paths[0] != "--changed" {
		for _, path := range paths {
			fmt.Println(verify(read(path), keys) == nil)
		}
		return
	}
	masks, err := hex.DecodeString(paths[1])
	if err != nil {
		log.Fatal(err)
	}
	for _, path := range paths[2:] {
		changes, accepted := countAccepted(read(path), keys, masks)
		fmt.Println(changes, accepted)
	}
}
