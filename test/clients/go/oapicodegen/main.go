// The journey with a client that oapi-codegen generated.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"

	"example.com/clients/journey"
	"example.com/clients/oapicodegen/api"
)

const user = journey.ExternalUserID

var ctx = context.Background()

func authorize(_ context.Context, request *http.Request) error {
	request.Header.Set("Authorization", "Bearer "+journey.Token())
	return nil
}

// errorOf returns the body of a refusal: the one of its status, or the one of any other status.
func errorOf(ofStatus, ofOthers *api.Error) (*api.Error, error) {
	if ofStatus != nil {
		return ofStatus, nil
	}
	if ofOthers != nil {
		return ofOthers, nil
	}
	return nil, errors.New("the request was not refused")
}

// requireBody ends the journey if an answer has no body of a success.
func requireBody[Body any](body *Body, err error, status string) Body {
	journey.Require(err)
	if body == nil {
		log.Fatalf("the answer is not a success: %s", status)
	}
	return *body
}

func attempt(code string) api.VerifyOtpInput {
	body := api.VerifyOtpInput{}
	body.Otp.Id = user
	body.Otp.Code = code
	return body
}

func readEvents(client *api.ClientWithResponses) (events []api.AuditEvent) {
	answer, err := client.ExportAudit(ctx, &api.ExportAuditParams{})
	journey.Require(err)
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() {
		var event api.AuditEvent
		journey.Require(json.Unmarshal(lines.Bytes(), &event))
		events = append(events, event)
	}
	journey.Require(lines.Err())
	return events
}

func main() {
	client, err := api.NewClientWithResponses(journey.URL(), api.WithRequestEditorFn(authorize))
	journey.Require(err)

	provision := api.ProvisionUserInput{}
	provision.User.ExternalId = user
	provisioned, err := client.ProvisionUserWithResponse(ctx, &api.ProvisionUserParams{}, provision)
	created := requireBody(provisioned.JSON201, err, provisioned.Status())
	journey.Report("provision", journey.Read{
		"external_id": created.User.ExternalId,
		"status":      created.User.Status,
	})

	names := api.ConfigureOtpInput{}
	names.Otp.IssuerName = "Acme"
	names.Otp.AccountName = "alexander@enterprise.com"
	configured, err := client.ConfigureOtpWithResponse(
		ctx, &api.ConfigureOtpParams{ExternalUserId: user}, names)
	enrolled := requireBody(configured.JSON200, err, configured.Status())
	journey.Report("enrol", journey.Read{"is_setup_complete": enrolled.User.IsSetupComplete})

	right, wrong := journey.Codes(enrolled.User.NewOtpSecret)
	attempted, err := client.VerifyOtpWithResponse(ctx, &api.VerifyOtpParams{}, attempt(wrong))
	journey.Require(err)
	refusal, err := errorOf(attempted.JSON422, attempted.JSONDefault)
	journey.Require(err)
	journey.Report("wrong code", journey.Read{
		"http":               attempted.StatusCode(),
		"code":               refusal.Code,
		"attempts_remaining": refusal.AttemptsRemaining,
	})

	accepted, err := client.VerifyOtpWithResponse(ctx, &api.VerifyOtpParams{}, attempt(right))
	verified := requireBody(accepted.JSON200, err, accepted.Status())
	journey.Report("verify", journey.Read{
		"id":     verified.Id,
		"status": verified.Status,
		"method": verified.Method,
	})

	limit := 10
	listed, err := client.ListUsersWithResponse(ctx, &api.ListUsersParams{Limit: &limit})
	page := requireBody(listed.JSON200, err, listed.Status())
	users := []string{}
	for _, one := range page.Users {
		users = append(users, fmt.Sprintf("%s %s", one.ExternalId, one.Status))
	}
	journey.Report("list", journey.Read{"users": users, "has_more": page.HasMore})

	newest, err := client.GetCheckpointWithResponse(ctx)
	head := requireBody(newest.JSON200, err, newest.Status())
	actions := []string{}
	for _, event := range readEvents(client) {
		actions = append(actions, event.Action)
	}
	journey.Report("export", journey.Read{
		"is_complete": len(actions) >= int(head.Checkpoint.TreeSize),
		"actions":     actions,
	})

	sought, err := client.GetUserWithResponse(ctx, &api.GetUserParams{ExternalUserId: "nobody"})
	journey.Require(err)
	unknown, err := errorOf(sought.JSON404, sought.JSONDefault)
	journey.Require(err)
	journey.Report("unknown user", journey.Read{"http": sought.StatusCode(), "code": unknown.Code})
}
