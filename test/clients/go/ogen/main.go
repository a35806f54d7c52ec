// The journey with a client that ogen generated.
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"

	"example.com/clients/journey"
	"example.com/clients/ogen/api"
)

const user = journey.ExternalUserID

var ctx = context.Background()

// tokenSource gives the client its API token.
type tokenSource struct{}

func (tokenSource) Bearer(context.Context, api.OperationName) (api.Bearer, error) {
	return api.Bearer{Token: journey.Token()}, nil
}

// require returns the answer as the type of a success, or ends the journey.
func require[Success any](answer any, err error) Success {
	journey.Require(err)
	success, ok := answer.(Success)
	if !ok {
		log.Fatalf("the answer is not a success: %+v", answer)
	}
	return success
}

// errorOf returns the status and the body of a refusal. The client has a type for each known status,
// and returns any other one as an error.
func errorOf(answer any, err error) (int, api.Error) {
	var other *api.ErrorStatusCode
	if errors.As(err, &other) {
		return other.StatusCode, other.Response
	}
	journey.Require(err)
	switch refusal := answer.(type) {
	case *api.VerifyOtpUnprocessableEntity:
		return 422, refusal.Response
	case *api.GetUserNotFound:
		return 404, api.Error(*refusal)
	}
	log.Fatalf("the answer is no known refusal: %+v", answer)
	return 0, api.Error{}
}

func attempt(code string) *api.VerifyOtpInput {
	return &api.VerifyOtpInput{Otp: api.VerifyOtpInputOtp{ID: user, Code: code}}
}

func readEvents(export io.Reader) (events []api.AuditEvent) {
	lines := bufio.NewReader(export)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(bytes.TrimSpace(line)) == 0 {
			return events
		}
		journey.Require(err)
		var event api.AuditEvent
		journey.Require(event.UnmarshalJSON(line))
		events = append(events, event)
	}
}

func main() {
	client, err := api.NewClient(journey.URL(), tokenSource{})
	journey.Require(err)

	provisioned, err := client.ProvisionUser(ctx, &api.ProvisionUserInput{
		User: api.ProvisionUserInputUser{ExternalID: user},
	}, api.ProvisionUserParams{})
	created := require[*api.ProvisionUserResultHeaders](provisioned, err).Response.User
	journey.Report("provision", journey.Read{
		"external_id": created.ExternalID,
		"status":      created.Status,
	})

	configured, err := client.ConfigureOtp(ctx, &api.ConfigureOtpInput{
		Otp: api.ConfigureOtpInputOtp{IssuerName: "Acme", AccountName: "alexander@enterprise.com"},
	}, api.ConfigureOtpParams{ExternalUserId: user})
	enrolled := require[*api.ConfigureOtpResultHeaders](configured, err).Response.User
	journey.Report("enrol", journey.Read{"is_setup_complete": enrolled.IsSetupComplete})

	right, wrong := journey.Codes(enrolled.NewOtpSecret)
	http, refusal := errorOf(client.VerifyOtp(ctx, attempt(wrong), api.VerifyOtpParams{}))
	journey.Report("wrong code", journey.Read{
		"http":               http,
		"code":               refusal.Code,
		"attempts_remaining": refusal.AttemptsRemaining.Value,
	})

	accepted, err := client.VerifyOtp(ctx, attempt(right), api.VerifyOtpParams{})
	verified := require[*api.VerifyOtpResultHeaders](accepted, err).Response
	journey.Report("verify", journey.Read{
		"id":     verified.ID,
		"status": verified.Status,
		"method": verified.Method,
	})

	listed, err := client.ListUsers(ctx, api.ListUsersParams{Limit: api.NewOptInt(10)})
	page := require[*api.ListUsersResultHeaders](listed, err).Response
	users := []string{}
	for _, one := range page.Users {
		users = append(users, fmt.Sprintf("%s %s", one.ExternalID, one.Status))
	}
	journey.Report("list", journey.Read{"users": users, "has_more": page.HasMore})

	newest, err := client.GetCheckpoint(ctx)
	head := require[*api.GetCheckpointResultHeaders](newest, err).Response.Checkpoint
	exported, err := client.ExportAudit(ctx, api.ExportAuditParams{})
	actions := []string{}
	for _, event := range readEvents(require[*api.ExportAuditOKHeaders](exported, err).Response) {
		actions = append(actions, event.Action)
	}
	journey.Report("export", journey.Read{
		"is_complete": int64(len(actions)) >= head.TreeSize,
		"actions":     actions,
	})

	http, unknown := errorOf(client.GetUser(ctx, api.GetUserParams{ExternalUserId: "nobody"}))
	journey.Report("unknown user", journey.Read{"http": http, "code": unknown.Code})
}
