// Package journey holds what both journeys in Go share: the user, the codes and the output.
package journey

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strconv"
	"time"

	"github.com/pquerna/otp/totp"
)

// ExternalUserID is the tenant's own id of the user.
const ExternalUserID = "ORG_USR_9921_AFG"

// Read is what a step read from an answer.
type Read map[string]any

// Report prints what a step read, for the check to compare.
func Report(step string, read Read) {
	read["step"] = step
	line, err := json.Marshal(read)
	Require(err)
	fmt.Println(string(line))
}

// Require ends the journey if there is an error.
func Require(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// URL returns the address of the service.
func URL() string { return os.Getenv("IDP_URL") }

// Token returns the API token.
func Token() string { return os.Getenv("IDP_TOKEN") }

// Codes returns a code that the secret gives now, and a wrong one.
func Codes(secret string) (right, wrong string) {
	right, err := totp.GenerateCode(secret, time.Now())
	Require(err)
	number, err := strconv.Atoi(right)
	Require(err)
	return right, fmt.Sprintf("%06d", (number+1)%1_000_000)
}
