from assignments.views import (
    FilterViewSet,
    PersonViewSet,
    ProjectAssignmentViewSet,
    ProjectViewSet,
    ServiceAssignmentViewSet,
    ServiceTypeAssignmentViewSet,
)
from productive.jsonapi.routers import Router

router = Router()
# These two come from the rooms below; they are served here because of their filters.
router.register("people", PersonViewSet)
router.register("projects", ProjectViewSet)
router.register("service_assignments", ServiceAssignmentViewSet)
router.register("project_assignments", ProjectAssignmentViewSet)
router.register("service_type_assignments", ServiceTypeAssignmentViewSet)
router.register("filters", FilterViewSet)

urlpatterns = router.urls
