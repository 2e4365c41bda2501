from assignments.views import (
    ActivityViewSet,
    FilterViewSet,
    ProjectAssignmentViewSet,
    ServiceAssignmentViewSet,
    ServiceTypeAssignmentViewSet,
    TrackingDecisionViewSet,
)
from productive.jsonapi.routers import Router

router = Router()
router.register("service_assignments", ServiceAssignmentViewSet)
router.register("project_assignments", ProjectAssignmentViewSet)
router.register("service_type_assignments", ServiceTypeAssignmentViewSet)
router.register("filters", FilterViewSet)
router.register("activities", ActivityViewSet)
router.register("tracking_decisions", TrackingDecisionViewSet)

urlpatterns = router.urls
