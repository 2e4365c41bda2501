from assignments.views import (
    FilterViewSet,
    PersonViewSet,
    ProjectAssignmentViewSet,
    ProjectViewSet,
    ServiceAssignmentViewSet,
    ServiceTypeAssignmentViewSet,
    ServiceViewSet,
    TrackingDecisionViewSet,
)
from productive.jsonapi.routers import Router

router = Router()
# These three come from the rooms below; they are served here because of their filters.
router.register("people", PersonViewSet)
router.register("projects", ProjectViewSet)
router.register("services", ServiceViewSet)
router.register("service_assignments", ServiceAssignmentViewSet)
router.register("project_assignments", ProjectAssignmentViewSet)
router.register("service_type_assignments", ServiceTypeAssignmentViewSet)
router.register("filters", FilterViewSet)
router.register("tracking_decisions", TrackingDecisionViewSet)

urlpatterns = router.urls
