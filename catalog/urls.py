from catalog.views import (
    CompanyViewSet,
    DealViewSet,
    ProjectViewSet,
    ServiceTypeViewSet,
    ServiceViewSet,
)
from productive.jsonapi.routers import Router

router = Router()
router.register("service_types", ServiceTypeViewSet)
router.register("companies", CompanyViewSet)
router.register("projects", ProjectViewSet)
router.register("deals", DealViewSet)
router.register("services", ServiceViewSet)

urlpatterns = router.urls
