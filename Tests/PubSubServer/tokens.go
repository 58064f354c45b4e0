package main

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/ioutil"
	"math"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2/jws"
)

const scope = "https://www.googleapis.com/auth/pubsub"
const cloudScope = "https://www.googleapis.com/auth/cloud-platform"

// Tokens are handed out at addresses like Google's, to requests that are as Google's documentation says; what is wrong with others is
// answered as Google does, with its reason.
type tokens struct {
	address string

	mu       sync.Mutex
	keys     map[string]*rsa.PublicKey
	offset   time.Duration
	lifetime int
	issued   map[string]time.Time
	number   int
	requests []tokenRequest
	faults   []*tokenFault
}

type tokenRequest struct {
	Path    string            `json:"path"`
	Method  string            `json:"method"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
}

type tokenFault struct {
	path   string
	status int
	body   string
	count  int
}

func newTokens() *tokens {
	return &tokens{keys: map[string]*rsa.PublicKey{}, issued: map[string]time.Time{}, lifetime: 3600}
}

func (t *tokens) now() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return time.Now().Add(t.offset)
}

func (t *tokens) setClock(seconds float64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.offset = time.Duration(seconds * float64(time.Second))
}

func (t *tokens) setLifetime(seconds int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lifetime = seconds
}

func (t *tokens) revoke() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.issued = map[string]time.Time{}
}

// Trusts what a service account has signed, by its address.
func (t *tokens) trust(email, text string) error {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return errors.New("no PEM")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return err
	}
	public, ok := key.(*rsa.PublicKey)
	if !ok {
		return errors.New("no key of RSA")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.keys[email] = public
	return nil
}

func (t *tokens) fail(path string, status int, body string, count int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.faults = append(t.faults, &tokenFault{path: path, status: status, body: body, count: count})
}

func (t *tokens) requestsOf(path string) []tokenRequest {
	t.mu.Lock()
	defer t.mu.Unlock()
	requests := []tokenRequest{}
	for _, request := range t.requests {
		if path == "" || request.Path == path {
			requests = append(requests, request)
		}
	}
	return requests
}

func (t *tokens) isValid(token string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	expiry, ok := t.issued[token]
	return ok && time.Now().Add(t.offset).Before(expiry)
}

func (t *tokens) issue() (string, int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.number++
	token := fmt.Sprintf("ya29.issued-%d", t.number)
	t.issued[token] = time.Now().Add(t.offset + time.Duration(t.lifetime)*time.Second)
	return token, t.lifetime
}

// Verifies a JWT of a service account with Google's own reader and checks what it claims.
func (t *tokens) verify(token, audience string) (*jws.ClaimSet, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, errors.New("Invalid JWT: it has not three parts.")
	}
	claims, err := jws.Decode(token)
	if err != nil {
		return nil, fmt.Errorf("Invalid JWT: %v", err)
	}
	t.mu.Lock()
	key := t.keys[claims.Iss]
	t.mu.Unlock()
	if key == nil {
		return nil, errors.New("Invalid grant: account not found")
	}
	if err := jws.Verify(token, key); err != nil {
		return nil, errors.New("Invalid JWT Signature.")
	}
	if claims.Aud != audience {
		return nil, fmt.Errorf("Invalid JWT: audience %q, not %q", claims.Aud, audience)
	}
	now := float64(t.now().Unix())
	if claims.Exp-claims.Iat > 3600 || math.Abs(now-float64(claims.Iat)) > 300 || now > float64(claims.Exp) {
		return nil, errors.New("Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. " +
			"Check your iat and exp values in the JWT claim.")
	}
	return claims, nil
}

func (t *tokens) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := ioutil.ReadAll(r.Body)
	headers := map[string]string{}
	for name, values := range r.Header {
		headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	t.mu.Lock()
	t.requests = append(t.requests, tokenRequest{Path: r.URL.Path, Method: r.Method, Headers: headers, Body: string(body)})
	w.Header().Set("Date", time.Now().Add(t.offset).UTC().Format(http.TimeFormat))
	for _, fault := range t.faults {
		if fault.path == r.URL.Path && fault.count != 0 {
			fault.count--
			t.mu.Unlock()
			w.WriteHeader(fault.status)
			w.Write([]byte(fault.body))
			return
		}
	}
	t.mu.Unlock()
	form, _ := url.ParseQuery(string(body))
	switch r.URL.Path {
	case "/token":
		t.exchange(w, r, form)
	case "/sts":
		t.federate(w, r, form)
	case "/impersonate/v1/projects/-/serviceAccounts/outbox@shop.iam.gserviceaccount.com:generateAccessToken":
		t.impersonate(w, r, body)
	case "/subject":
		t.subject(w, r)
	case "/computeMetadata/v1/instance/service-accounts/default/token":
		t.metadata(w, r)
	default:
		w.WriteHeader(404)
	}
}

func refuse(w http.ResponseWriter, status int, code, reason string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]string{"error": code, "error_description": reason})
}

func (t *tokens) hand(w http.ResponseWriter) {
	token, lifetime := t.issue()
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]interface{}{
		"access_token": token, "expires_in": lifetime, "token_type": "Bearer",
	})
}

func isForm(r *http.Request) bool {
	return r.Method == "POST" && r.Header.Get("Content-Type") == "application/x-www-form-urlencoded"
}

func (t *tokens) exchange(w http.ResponseWriter, r *http.Request, form url.Values) {
	if !isForm(r) {
		refuse(w, 400, "invalid_request", "no form")
		return
	}
	switch form.Get("grant_type") {
	case "urn:ietf:params:oauth:grant-type:jwt-bearer":
		claims, err := t.verify(form.Get("assertion"), t.address+"/token")
		if err != nil {
			refuse(w, 400, "invalid_grant", err.Error())
		} else if claims.Scope != scope {
			refuse(w, 400, "invalid_scope", claims.Scope)
		} else {
			t.hand(w)
		}
	case "refresh_token":
		if form.Get("client_id") != "client" || form.Get("client_secret") != "client-secret" {
			refuse(w, 401, "invalid_client", "The OAuth client was not found.")
		} else if form.Get("refresh_token") != "1//refresh+token" {
			refuse(w, 400, "invalid_grant", "Token has been expired or revoked.")
		} else {
			t.hand(w)
		}
	default:
		refuse(w, 400, "unsupported_grant_type", form.Get("grant_type"))
	}
}

// RFC 8693, as https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token has it.
func (t *tokens) federate(w http.ResponseWriter, r *http.Request, form url.Values) {
	want := map[string]string{
		"grant_type":           "urn:ietf:params:oauth:grant-type:token-exchange",
		"audience":             "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/provider",
		"requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
		"subject_token_type":   "urn:ietf:params:oauth:token-type:jwt",
		"subject_token":        "subject+token/of=workload",
	}
	if !isForm(r) {
		refuse(w, 400, "invalid_request", "no form")
		return
	}
	for name, value := range want {
		if form.Get(name) != value {
			refuse(w, 400, "invalid_request", fmt.Sprintf("%s is %q", name, form.Get(name)))
			return
		}
	}
	if form.Get("scope") != scope && form.Get("scope") != cloudScope {
		refuse(w, 400, "invalid_scope", form.Get("scope"))
		return
	}
	t.hand(w)
}

func (t *tokens) impersonate(w http.ResponseWriter, r *http.Request, body []byte) {
	var request struct {
		Scope    []string `json:"scope"`
		Lifetime string   `json:"lifetime"`
	}
	if err := json.Unmarshal(body, &request); err != nil || r.Method != "POST" || len(request.Scope) != 1 ||
		request.Scope[0] != scope || request.Lifetime == "" {
		refuse(w, 400, "INVALID_ARGUMENT", "not what the documentation says")
		return
	}
	if !t.isValid(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")) {
		w.WriteHeader(401)
		w.Write([]byte(`{"error":{"code":401,"message":"Request had invalid authentication credentials.","status":"UNAUTHENTICATED"}}`))
		return
	}
	token, lifetime := t.issue()
	json.NewEncoder(w).Encode(map[string]string{
		"accessToken": token,
		"expireTime":  t.now().Add(time.Duration(lifetime) * time.Second).UTC().Format(time.RFC3339),
	})
}

func (t *tokens) subject(w http.ResponseWriter, r *http.Request) {
	if r.Method != "GET" || r.Header.Get("X-Workload") != "outbox" {
		w.WriteHeader(403)
		return
	}
	json.NewEncoder(w).Encode(map[string]string{"id_token": "subject+token/of=workload"})
}

func (t *tokens) metadata(w http.ResponseWriter, r *http.Request) {
	if r.Method != "GET" || r.Header.Get("Metadata-Flavor") != "Google" {
		w.WriteHeader(403)
		return
	}
	w.Header().Set("Metadata-Flavor", "Google")
	t.hand(w)
}
