// Command go is a function in Go, on AWS's own runtime library: it prices an order.
package main

import (
	"context"
	"encoding/json"
	"net/http"
	"os"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
)

func handle(_ context.Context, e events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	var order struct {
		Items []struct {
			Quantity int `json:"quantity"`
			Cents    int `json:"cents"`
		} `json:"items"`
	}
	answer := events.APIGatewayV2HTTPResponse{StatusCode: http.StatusOK, Headers: map[string]string{"Content-Type": "application/json"}}
	if err := json.Unmarshal([]byte(e.Body), &order); err != nil {
		answer.StatusCode = http.StatusBadRequest
		answer.Body = `{"message":"the body is no order"}`
		return answer, nil
	}
	total := 0
	for _, item := range order.Items {
		total += item.Quantity * item.Cents
	}
	if os.Getenv("TIER") == "gold" {
		total = total * 9 / 10
	}
	body, err := json.Marshal(map[string]any{"order": e.PathParameters["id"], "total": total})
	answer.Body = string(body)
	return answer, err
}

func main() { lambda.Start(handle) }
