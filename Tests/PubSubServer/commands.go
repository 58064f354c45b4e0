package main

import (
	"context"
	"fmt"
	"time"

	pb "google.golang.org/genproto/googleapis/pubsub/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
)

type command struct {
	Do           string  `json:"do"`
	Project      string  `json:"project"`
	Topic        string  `json:"topic"`
	Code         uint32  `json:"code"`
	Message      string  `json:"message"`
	Count        int     `json:"count"`
	Milliseconds int     `json:"milliseconds"`
	Attribute    string  `json:"attribute"`
	Key          string  `json:"key"`
	After        bool    `json:"after"`
	From         int     `json:"from"`
	Seconds      float64 `json:"seconds"`
	Name         string  `json:"name"`
	Value        string  `json:"value"`
	Path         string  `json:"path"`
}

func setHeader(ctx context.Context, name, value string) {
	grpc.SetHeader(ctx, metadata.Pairs(name, value))
}

func (s *server) obey(c command) (interface{}, error) {
	name := fmt.Sprintf("projects/%s/topics/%s", c.Project, c.Topic)
	v := s.service
	milliseconds := time.Duration(c.Milliseconds) * time.Millisecond
	switch c.Do {
	case "create":
		if _, err := v.GServer.CreateTopic(context.Background(), &pb.Topic{Name: name}); err != nil {
			return nil, err
		}
		_, err := v.GServer.CreateSubscription(context.Background(), &pb.Subscription{
			Name:  fmt.Sprintf("projects/%s/subscriptions/%s-reader", c.Project, c.Topic),
			Topic: name, AckDeadlineSeconds: 600, EnableMessageOrdering: true,
		})
		return true, err
	case "delete":
		_, err := v.GServer.DeleteTopic(context.Background(), &pb.DeleteTopicRequest{Topic: name})
		return true, err
	case "stop":
		s.plain.close()
		s.secure.close()
		return true, nil
	case "start":
		if err := s.plain.open(); err != nil {
			return nil, err
		}
		return true, s.secure.open()
	case "cut":
		return s.plain.cut() + s.secure.cut(), nil
	case "freeze":
		return s.plain.freeze() + s.secure.freeze(), nil
	case "pull":
		return s.pull(c.Project, c.Topic, c.Count)
	case "token-fault":
		s.tokens.fail(c.Path, int(c.Code), c.Message, c.Count)
		return true, nil
	case "token-requests":
		return s.tokens.requestsOf(c.Path), nil
	case "clock":
		s.tokens.setClock(c.Seconds)
		return true, nil
	case "lifetime":
		s.tokens.setLifetime(int(c.Seconds))
		return true, nil
	case "issue":
		token, _ := s.tokens.issue()
		return token, nil
	case "revoke":
		s.tokens.revoke()
		return true, nil
	case "key":
		return true, s.tokens.trust(c.Name, c.Value)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	switch c.Do {
	case "fail":
		v.faults = append(v.faults, &fault{
			code: codes.Code(c.Code), message: c.Message, retry: milliseconds, count: c.Count, attribute: c.Attribute,
			key: c.Key, topic: c.Value, after: c.After,
		})
		return true, nil
	case "mend":
		v.faults = nil
		v.delay = 0
		v.forbidden = ""
		return true, nil
	case "delay":
		v.delay = milliseconds
		return true, nil
	case "hold":
		v.gate = make(chan struct{})
		v.held = 0
		return true, nil
	case "held":
		return v.held, nil
	case "release":
		if v.gate != nil {
			close(v.gate)
		}
		v.gate = nil
		return true, nil
	case "demand":
		v.demand = c.Name
		v.audience = c.Value
		return true, nil
	case "forbid":
		v.forbidden = c.Topic
		return true, nil
	case "log":
		if c.From > len(v.log) {
			return nil, fmt.Errorf("only %d messages are there", len(v.log))
		}
		records := append([]record{}, v.log[c.From:]...)
		for index := range records {
			if c.Count > 0 && len(records[index].Data) > c.Count {
				records[index].Data = records[index].Data[:c.Count]
			}
		}
		return records, nil
	case "count":
		return len(v.log), nil
	case "facts":
		return map[string]interface{}{
			"requests": v.requests, "overlaps": append([]string{}, v.overlaps...),
			"violations": append([]string{}, v.violations...), "most_bytes": v.mostBytes, "most_count": v.mostCount,
		}, nil
	}
	return nil, fmt.Errorf("there is no command %q", c.Do)
}
