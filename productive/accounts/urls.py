from productive.accounts.views import OrganizationViewSet, PersonViewSet
from productive.jsonapi.routers import Router

router = Router()
router.register("organizations", OrganizationViewSet)
router.register("people", PersonViewSet)

urlpatterns = router.urls
