// Verifies messages of webhooks with the library of Standard Webhooks, one JSON object a line.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

const maxLineBytes = 1 << 20

type message struct {
	Secret  string            `json:"secret"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
}

func isAccepted(one message) (bool, error) {
	webhook, err := standardwebhooks.NewWebhook(one.Secret)
	if err != nil {
		return false, err
	}
	headers := http.Header{}
	for name, value := range one.Headers {
		headers.Set(name, value)
	}
	return webhook.Verify([]byte(one.Body), headers) == nil, nil
}

func main() {
	file, err := os.Open(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, maxLineBytes)
	for lines.Scan() {
		var one message
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			log.Fatal(err)
		}
		accepted, err := isAccepted(one)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(accepted)
	}
	if err := lines.Err(); err != nil {
		log.Fatal(err)
	}
}
