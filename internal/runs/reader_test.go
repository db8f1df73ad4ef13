package runs_test

import (
	"testing"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/mocks"

	"deliberation.io/deliberation/internal/runs"
)

func asked(query string) any {
	return mock.MatchedBy(func(r *workflowservice.ListWorkflowExecutionsRequest) bool { return r.GetQuery() == query })
}

func TestATaskIsFoundUnderAnyWorkflowID(t *testing.T) {
	there := &workflowpb.WorkflowExecutionInfo{Execution: &commonpb.WorkflowExecution{WorkflowId: "elsewhere", RunId: "r"}}
	c := mocks.NewClient(t)
	c.On("DescribeWorkflowExecution", mock.Anything, mock.Anything, "").Return(nil, serviceerror.NewNotFound("no")).Twice()
	c.On("ListWorkflow", mock.Anything, asked(`WorkflowType='Deliberation' AND DeliberationTaskId='it\'s T-60'`)).
		Return(&workflowservice.ListWorkflowExecutionsResponse{Executions: []*workflowpb.WorkflowExecutionInfo{there}}, nil)
	c.On("DescribeWorkflowExecution", mock.Anything, "elsewhere", "r").
		Return(&workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: there}, nil)

	found, err := runs.Reader{Client: c}.Find(t.Context(), "it's T-60")
	require.NoError(t, err)
	require.Equal(t, "elsewhere", found.ID)
}

func TestANamespaceWithoutTheSearchAttributeHasNoSuchTask(t *testing.T) {
	c := mocks.NewClient(t)
	c.On("DescribeWorkflowExecution", mock.Anything, mock.Anything, "").Return(nil, serviceerror.NewNotFound("no"))
	c.On("ListWorkflow", mock.Anything, mock.Anything).Return(nil, serviceerror.NewInvalidArgument("no such attribute")).Once()

	_, err := runs.Reader{Client: c}.Find(t.Context(), "T-60")
	require.ErrorAs(t, err, new(*runs.NotFoundError))

	c.On("ListWorkflow", mock.Anything, mock.Anything).Return(nil, serviceerror.NewUnavailable("later"))
	_, err = runs.Reader{Client: c}.Find(t.Context(), "T-60")
	require.True(t, runs.MayAnswerLater(err), "what isn't known isn't absent")
}
