package main

import (
	"context"
	"fmt"
	"net/http"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/pubsub/pstest"
	"github.com/golang/protobuf/proto"
	"github.com/golang/protobuf/ptypes"
	iampb "google.golang.org/genproto/googleapis/iam/v1"
	pb "google.golang.org/genproto/googleapis/pubsub/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// Service is Google's fake behind what the service refuses (https://cloud.google.com/pubsub/quotas), what a test wants to go wrong,
// and who may call.
type service struct {
	*pstest.GServer
	tokens *tokens

	mu         sync.Mutex
	log        []record
	requests   int
	faults     []*fault
	delay      time.Duration
	gate       chan struct{}
	held       int
	demand     string
	audience   string
	forbidden  string
	inFlight   map[string]int
	overlaps   []string
	violations []string
	mostBytes  int
	mostCount  int
}

type record struct {
	ID          string            `json:"id"`
	Data        []byte            `json:"data"`
	Attributes  map[string]string `json:"attributes"`
	OrderingKey string            `json:"ordering_key"`
	Topic       string            `json:"topic"`
}

type fault struct {
	code    codes.Code
	message string
	retry   time.Duration
	// How many requests are still to fail; below 0: all.
	count int
	// Only requests with a message that has this attribute, or key; empty: all.
	attribute string
	key       string
	topic     string
	// Whether the messages are taken before the failure is answered.
	after bool
}

func newService(fake *pstest.GServer, tokens *tokens) *service {
	return &service{GServer: fake, tokens: tokens, inFlight: map[string]int{}}
}

func (s *service) Publish(ctx context.Context, request *pb.PublishRequest) (*pb.PublishResponse, error) {
	if err := s.admit(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.requests++
	delay, gate := s.delay, s.gate
	key := ""
	if len(request.Messages) > 0 && request.Messages[0].OrderingKey != "" {
		key = request.Topic + " " + request.Messages[0].OrderingKey
		s.inFlight[key]++
		if s.inFlight[key] > 1 {
			s.overlaps = append(s.overlaps, key)
		}
	}
	if gate != nil {
		s.held++
	}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		if key != "" {
			s.inFlight[key]--
		}
		s.mu.Unlock()
	}()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return nil, status.FromContextError(ctx.Err()).Err()
		}
	}
	if delay > 0 {
		time.Sleep(delay)
	}
	if err := s.refusal(request); err != nil {
		return nil, err
	}
	failure, after := s.fault(request)
	if failure != nil && !after {
		return nil, failure
	}
	if s.topicIsForbidden(request.Topic) {
		return nil, status.Error(codes.PermissionDenied, "User not authorized to perform this action.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	response, err := s.GServer.Publish(ctx, request)
	if err != nil {
		return nil, err
	}
	s.mostCount = max(s.mostCount, len(request.Messages))
	s.mostBytes = max(s.mostBytes, proto.Size(request))
	for index, message := range request.Messages {
		s.log = append(s.log, record{
			ID: response.MessageIds[index], Data: message.Data, Attributes: message.Attributes,
			OrderingKey: message.OrderingKey, Topic: request.Topic,
		})
	}
	return response, failure
}

func max(a, b int) int {
	if a > b {
		return a
	}
	return b
}

// What the service refuses. Which of it a client should never have sent is remembered as well.
func (s *service) refusal(request *pb.PublishRequest) error {
	reason := ""
	switch {
	case len(request.Messages) == 0:
		reason = "The value for message_count is too small. You passed 0 in the request, but the minimum value is 1."
	case len(request.Messages) > 1000:
		reason = "The value for message_count is too large. You passed " + strconv.Itoa(len(request.Messages)) +
			" in the request, but the maximum value is 1000."
	case proto.Size(request) > 10000000:
		reason = "Request payload size exceeds the limit: 10000000 bytes."
	}
	for _, message := range request.Messages {
		switch {
		case reason != "":
		case len(message.Data) == 0 && len(message.Attributes) == 0:
			reason = "One or more messages in the publish request is empty. " +
				"Each message must contain either non-empty data, or at least one attribute."
		case len(message.Attributes) > 100:
			reason = "A message has more than 100 attributes."
		case len(message.OrderingKey) > 1024:
			reason = "An ordering key has more than 1024 bytes."
		case message.OrderingKey != request.Messages[0].OrderingKey:
			reason = "In a single publish request, all messages must have no ordering key or they must all have the same ordering key."
		}
		for name, value := range message.Attributes {
			if reason == "" && (len(name) == 0 || len(name) > 256 || strings.HasPrefix(name, "goog") || len(value) > 1024) {
				reason = "An attribute is not valid: " + name
			}
		}
	}
	if reason == "" {
		return nil
	}
	s.mu.Lock()
	s.violations = append(s.violations, reason)
	s.mu.Unlock()
	return status.Error(codes.InvalidArgument, reason)
}

func (s *service) fault(request *pb.PublishRequest) (error, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, fault := range s.faults {
		if fault.count == 0 || !fault.concerns(request) {
			continue
		}
		fault.count--
		state := status.New(fault.code, fault.message)
		if fault.retry > 0 {
			state, _ = state.WithDetails(&errdetails.RetryInfo{RetryDelay: ptypes.DurationProto(fault.retry)})
		}
		return state.Err(), fault.after
	}
	return nil, false
}

func (f *fault) concerns(request *pb.PublishRequest) bool {
	if f.topic != "" && f.topic != request.Topic {
		return false
	}
	if f.attribute == "" && f.key == "" {
		return true
	}
	for _, message := range request.Messages {
		if _, ok := message.Attributes[f.attribute]; ok && f.attribute != "" {
			return true
		}
		if f.key != "" && message.OrderingKey == f.key {
			return true
		}
	}
	return false
}

func (s *service) topicIsForbidden(topic string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.forbidden != "" && strings.HasSuffix(topic, "/topics/"+s.forbidden)
}

// Whether the caller has shown a token that is valid, as far as one is asked for.
func (s *service) admit(ctx context.Context) error {
	s.mu.Lock()
	demand, audience := s.demand, s.audience
	s.mu.Unlock()
	if demand == "" {
		return nil
	}
	data, _ := metadata.FromIncomingContext(ctx)
	token := ""
	if values := data.Get("authorization"); len(values) == 1 {
		token = strings.TrimPrefix(values[0], "Bearer ")
	}
	// As the service's front end does, which says what time it is.
	setDate(ctx, s.tokens.now())
	reason := ""
	switch demand {
	case "issued":
		if !s.tokens.isValid(token) {
			reason = "it was not issued, or has expired"
		}
	case "signed":
		if _, err := s.tokens.verify(token, audience); err != nil {
			reason = err.Error()
		}
	}
	if reason == "" {
		return nil
	}
	state := status.New(codes.Unauthenticated, "Request had invalid authentication credentials.")
	state, _ = state.WithDetails(&errdetails.ErrorInfo{Reason: "ACCESS_TOKEN_EXPIRED", Domain: "googleapis.com"})
	s.mu.Lock()
	s.violations = append(s.violations, reason)
	s.mu.Unlock()
	return state.Err()
}

func (s *service) GetTopic(ctx context.Context, request *pb.GetTopicRequest) (*pb.Topic, error) {
	if err := s.admit(ctx); err != nil {
		return nil, err
	}
	if s.topicIsForbidden(request.Topic) {
		return nil, status.Error(codes.PermissionDenied, "User not authorized to perform this action.")
	}
	return s.GServer.GetTopic(ctx, request)
}

// Who may publish may not always look at the topic.
func (s *service) TestIamPermissions(
	ctx context.Context, request *iampb.TestIamPermissionsRequest,
) (*iampb.TestIamPermissionsResponse, error) {
	if err := s.admit(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	forbidden := s.forbidden
	s.mu.Unlock()
	response := &iampb.TestIamPermissionsResponse{}
	if !strings.HasSuffix(request.Resource, "/topics/"+forbidden) || strings.HasPrefix(forbidden, "unseen-") {
		response.Permissions = request.Permissions
	}
	return response, nil
}

func (s *service) GetIamPolicy(context.Context, *iampb.GetIamPolicyRequest) (*iampb.Policy, error) {
	return nil, status.Error(codes.Unimplemented, "not here")
}

func (s *service) SetIamPolicy(context.Context, *iampb.SetIamPolicyRequest) (*iampb.Policy, error) {
	return nil, status.Error(codes.Unimplemented, "not here")
}

func setDate(ctx context.Context, now time.Time) {
	setHeader(ctx, "date", now.UTC().Format(http.TimeFormat))
}

func sortByNumber(ids []string) {
	sort.Slice(ids, func(a, b int) bool { return number(ids[a]) < number(ids[b]) })
}

// Of “m17”.
func number(id string) int {
	value, err := strconv.Atoi(strings.TrimPrefix(id, "m"))
	if err != nil {
		panic(fmt.Sprintf("the fake's ids have changed: %s", id))
	}
	return value
}
