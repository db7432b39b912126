package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// orderBody is what a browser posts to order something.
const orderBody = `{"customer":{"name":"Alice Example","email":"alice@example.com","phone":"+49 30 1234567"},` +
	`"shipping":{"street":"Long Street 12","city":"Berlin","zip":"10115","country":"DE"},` +
	`"lines":[{"sku":"A-1","quantity":2,"note":"please wrap it as a gift"},{"sku":"B-7","quantity":1}],` +
	`"coupon":"SPRING-2026","terms":true,"total":{"amount":"119.90","currency":"EUR"}}`

// orderBy is an order as a browser sends it: its headers, three cookies and a
// bearer token.
func orderBy(path, body string) []byte {
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\n"+
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36\r\n"+
		"Accept: application/json, text/plain, */*\r\nAccept-Language: en-GB,en;q=0.9,de;q=0.8\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\nOrigin: https://%s\r\nReferer: https://%s/basket?step=3\r\n"+
		"Sec-Ch-Ua: \"Chromium\";v=\"131\", \"Not_A Brand\";v=\"24\"\r\nSec-Ch-Ua-Mobile: ?0\r\nSec-Ch-Ua-Platform: \"Linux\"\r\n"+
		"Sec-Fetch-Dest: empty\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Site: same-origin\r\n"+
		"Cookie: session=5f0c1c3a9be84d0f8a6e3d2c7b1f9e44; locale=en-GB; consent=2026-03-01T10%%3A22%%3A31Z\r\n"+
		"Authorization: Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSIsInNjb3BlIjoib3JkZXJzIn0.c2lnbmF0dXJlLW9mLW5vLWtleS1hdC1hbGw\r\n\r\n%s",
		path, host, len(body), host, host, body)
}

// catches checks that the rules are at work: attacks in the query and, where
// there is one, in the body are refused.
func catches(ctx context.Context, client *http.Client, c scenario, l load) error {
	attack := l.paths[0] + "?id=" + url.QueryEscape("1 UNION SELECT password FROM users--")
	if err := expectStatus(ctx, client, urlOf(l, attack), "", http.StatusForbidden); err != nil || !c.order {
		return err
	}
	answer, _, err := post(ctx, client, l, `{"note":"<script>alert(document.cookie)</script>","id":"1 UNION SELECT password FROM users--"}`)
	if err == nil && answer.StatusCode != http.StatusForbidden {
		err = fmt.Errorf("an attack in an order was answered by %s", answer.Status)
	}
	return err
}

// passesOrder checks that an order that is none gets the service's answer.
func passesOrder(ctx context.Context, client *http.Client, c scenario, l load) error {
	answer, body, err := post(ctx, client, l, orderBody)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK || !bytes.Equal(body, c.body()) {
		return fmt.Errorf("an order was answered by %s: %s", answer.Status, body[:min(len(body), 300)])
	}
	return nil
}

// post sends the load's own bytes, by an ordinary client.
func post(ctx context.Context, client *http.Client, l load, body string) (*http.Response, []byte, error) {
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(orderBy(l.paths[0], body))))
	if err != nil {
		return nil, nil, err
	}
	r.RequestURI = ""
	if r.URL, err = url.Parse(urlOf(l, l.paths[0])); err != nil {
		return nil, nil, err
	}
	answer, err := client.Do(r.WithContext(ctx))
	if err != nil {
		return nil, nil, err
	}
	defer answer.Body.Close()
	read, err := io.ReadAll(answer.Body)
	return answer, read, err
}
